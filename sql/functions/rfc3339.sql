-- A moment as every answer, event and message of ours has it: in UTC, to the microsecond, with a Z at its end; `infinity` as that word. Left to
-- Postgres it would be in the zone of the session, with as many digits as there happen to be.
create or replace function bellhand.rfc3339(p_at timestamptz) returns text language sql stable parallel safe as $$
  select case when isfinite(p_at) then to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else p_at::text end
$$;
