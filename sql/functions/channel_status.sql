-- Every channel as it stands, without what must stay secret: of an address that is a URL only the host is shown.
create or replace view bellhand.channel_status as
  select c.name, c.kind, c.source, case when c.kind = 'email' then c.address else substring(c.address from '^https?://([^/?#]+)') end as address,
    c.digest_seconds, c.digest_max, c.disabled_at, c.disabled_reason, c.failing_since, c.failures, c.last_error, case when c.retry_at > bellhand.now() then c.retry_at end as retry_at,
    (select count(*) from bellhand.notices n where n.target = c.name and n.digest is null) as waiting
  from bellhand.channels c;
select bellhand.allow(who, 'select on bellhand.channel_status') from unnest(array['reader', 'worker']) who;
