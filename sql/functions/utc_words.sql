-- A moment in a sentence, whatever the zone of the session: `2026-01-31 12:00:00 UTC`.
create or replace function bellhand.utc_words(p_at timestamptz) returns text language sql stable parallel safe as $$
  select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
$$;
