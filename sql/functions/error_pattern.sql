-- The line of an error, from its class on, less what differs from case to case: addresses, hosts, quoted text, paths, ids and numbers.
create or replace function bellhand.error_pattern(p_error text) returns text language plpgsql immutable parallel safe as $$
declare
  line text := coalesce(bellhand.error_line(p_error), '');
  class text := (regexp_match(line, '^(?:[A-Za-z_][A-Za-z0-9_]*\.)*([A-Za-z_][A-Za-z0-9_]*:)'))[1];
  s text := case when class is null then line else regexp_replace(line, '^[A-Za-z0-9_.]*:\s*', '') end;
begin
  s := regexp_replace(s, '[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"''<>)]+', '<url>', 'g');
  s := regexp_replace(s, '[^\s"''<>(]+@[^\s"''<>)]+\.[a-zA-Z]{2,}', '<address>', 'g');
  -- Quotation marks that open after a space or a bracket; an apostrophe stands inside a word.
  s := regexp_replace(s, '(^|[\s(\[{=:,])(?:"[^"]*"|''[^'']*''|`[^`]*`)', '\1<text>', 'g');
  s := regexp_replace(s, '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', '<id>', 'g');
  s := regexp_replace(s, '(^|[\s("=])/[^\s"'')]+', '\1<path>', 'g');
  s := regexp_replace(s, '\m(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\M', '<id>', 'g');
  s := regexp_replace(s, '\m(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.)+(?:[a-zA-Z]{2,24})\M(?!\s*\()', '<host>', 'g');
  s := regexp_replace(s, '[-+]?\d[\d.,:_]*', '<n>', 'g');
  return left(concat_ws(' ', class, regexp_replace(s, '\s+', ' ', 'g')), 300);
end $$;
