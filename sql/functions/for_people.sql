-- A number of seconds as people say it: `40 s`, `4 min`, `2 h 10 min`, `3 d 4 h`.
create or replace function bellhand.for_people(p_seconds float8) returns text language sql immutable parallel safe
return case when p_seconds is null then null when p_seconds < 0 then '0 s' when p_seconds < 1 then round(p_seconds * 1000) || ' ms'
  when p_seconds < 90 then round(p_seconds) || ' s' when p_seconds < 5400 then round(p_seconds / 60) || ' min'
  when p_seconds < 172800 then floor(p_seconds / 3600) || ' h ' || floor((p_seconds::numeric % 3600) / 60) || ' min'
  else floor(p_seconds / 86400) || ' d ' || floor((p_seconds::numeric % 86400) / 3600) || ' h' end;
