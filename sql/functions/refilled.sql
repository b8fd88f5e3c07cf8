-- How many tokens a bucket has now that had p_tokens at p_at. Full, if that lies a minute and more ahead: then the server's clock was set
-- back, and the bucket would stay empty until it has caught up. Less is somebody's statement that began later and had the lock first.
create or replace function bellhand.refilled(p_tokens double precision, p_at timestamptz, p_burst integer, p_rate double precision)
returns double precision language sql stable
return case when p_at > bellhand.now() + interval '1 minute' then p_burst
  else least(p_burst, p_tokens + extract(epoch from bellhand.now() - p_at) * p_rate) end;
