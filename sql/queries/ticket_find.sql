-- The ticket with digest $1, and how many seconds it is still good for: 0 or less when it is not.
select t.job, t.key, t.cancel, extract(epoch from t.expires_at - bellhand.now())::float8 as seconds_left
from bellhand.tickets t where t.digest = $1
