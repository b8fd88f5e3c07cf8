-- The line of an error that says what it was: the last that is not empty and not indented, at most 1,000 characters of it.
create or replace function bellhand.error_line(p_error text) returns text language sql immutable parallel safe as $$
  select left(x.line, 1000) from regexp_split_to_table(right(coalesce(p_error, ''), 4000), '\n') with ordinality x(line, n)
  where x.line ~ '^\S' order by x.n desc limit 1
$$;
