-- The class of an error as a traceback or a one-line message ends: `httpx.ReadTimeout` is `ReadTimeout`, one without a class is `error`.
create or replace function bellhand.error_class(p_error text) returns text language sql immutable parallel safe as $$
  select coalesce((regexp_match(bellhand.error_line(p_error), '^(?:[A-Za-z_][A-Za-z0-9_]*\.)*([A-Za-z_][A-Za-z0-9_]*)(?::|$)'))[1], 'error')
$$;
