-- The text with what looks like a secret replaced, at least as much of it as logs.py replaces in what is shown (test_security_terminal holds
-- the two to the same shapes): addresses with a password, what stands after a telling name, the lines of headers, bearer tokens.
create or replace function bellhand.without_secrets(p_text text) returns text language sql immutable parallel safe as $$
  select regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(p_text,
    '\y(postgres(ql)?://)[^\s''"]*@', '\1***@', 'gi'),
    '(\w://)[^\s/?#''"]*@', '\1***@', 'g'),
    '\y(\w*(password|passwd|passphrase|secret|token|api[_-]?key)\\*["'']?\s*[=:]\s*)(\\*"[^"]*"?|\\*''[^'']*''?|[^\s&,;''"]+)', '\1***', 'gi'),
    '\y(((proxy-)?authorization|(set-)?cookie)\\*["'']?\s*[=:]\s*)(\\*"[^"]*"?|\\*''[^'']*''?|[^\r\n}]+)', '\1***', 'gi'),
    '\y(bearer|basic)\s+[\w.~+/=-]+', '\1 ***', 'gi')
$$;
