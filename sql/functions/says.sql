-- Whether an error says this in any case, in the part of it that is shown: a secret in it is not found out by looking for it letter by letter.
create or replace function bellhand.says(p_error text, p_words text) returns boolean language sql immutable parallel safe as $$
  select case when strpos(lower(p_error), lower(p_words)) > 0 then strpos(lower(bellhand.without_secrets(p_error)), lower(p_words)) > 0 else false end
$$;
