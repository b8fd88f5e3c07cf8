-- How mail fared by purpose, today (UTC) and in seven days with today: of the newest $1 that were begun in them, which an index finds; `cut` says
-- that there may have been more.
with days as materialized (select date_trunc('day', bellhand.now() at time zone 'UTC') at time zone 'UTC' as today),
newest as materialized (
  select m.purpose, m.state, m.begun_at >= d.today as is_today from days d
  cross join lateral (select x.purpose, x.state, x.begun_at from bellhand_crm.messages x where x.begun_at >= d.today - interval '6 days' order by x.begun_at desc limit $1) m)
select n.purpose, count(*) filter (where n.is_today and n.state = 'sent') as sent_today, count(*) filter (where n.is_today and n.state = 'bounced') as bounced_today,
  count(*) filter (where n.is_today and n.state not in ('sent', 'bounced')) as open_today, count(*) filter (where n.state = 'sent') as sent, count(*) filter (where n.state = 'bounced') as bounced,
  count(*) filter (where n.state not in ('sent', 'bounced')) as open, (select count(*) from newest) >= $1 as cut
from newest n group by n.purpose order by n.purpose
