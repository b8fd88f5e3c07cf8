-- The tokens that were made, the newest first, without their digests; sessions of browsers are left out.
select t.name, t.scopes, t.made_at, t.made_by, t.expires_at, t.revoked_at, t.last_used_at, bellhand.now() as now,
  case when t.revoked_at is not null then 'revoked' when t.expires_at <= bellhand.now() then 'expired' else 'good' end as state,
  (select count(*) from bellhand.tokens s where s.opened_with = t.digest and s.expires_at > bellhand.now()) as sessions
from bellhand.tokens t where t.opened_with is null order by t.id desc limit $1
