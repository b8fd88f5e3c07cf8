-- A channel with its keys in force, newest first, how long nobody tries it, and what time it is; a row without a kind where there is no such channel.
select c.kind, c.address, c.source, c.disabled_at is not null as disabled, c.disabled_reason, coalesce(extract(epoch from c.retry_at - bellhand.now()), 0)::float8 as wait_seconds,
  array(select s.secret from bellhand.channel_secrets s where s.channel = c.name and (s.expires_at is null or s.expires_at > bellhand.now())
        order by s.made_at desc, s.secret) as secrets,
  extract(epoch from bellhand.now())::bigint as now
from (values ($1::text)) asked(name) left join bellhand.channels c on c.name = asked.name
