-- Says in one sentence what is wrong with what a job's `notify` asks for, or null: a list of {"on": [...], "to": "...", "late_seconds": n}.
-- Only what can be delivered is accepted, so that nobody waits for a message that no daemon could send.
create or replace function bellhand.notify_problem(p_kind text, p_notify jsonb) returns text language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare
  words constant jsonb := '["completed", "partial", "failed", "cancelled", "late"]';
  n jsonb; key text; target text; medium text; seconds numeric;
begin
  if p_kind like 'notify.%' then return 'a notification cannot ask for one itself'; end if;
  if jsonb_typeof(p_notify) <> 'array' then return format('it must be a list, not %s', jsonb_typeof(p_notify)); end if;
  if jsonb_array_length(p_notify) not between 1 and 20 then
    return format('the list must have 1 to 20 entries, not %s', jsonb_array_length(p_notify));
  end if;
  for n in select jsonb_array_elements(p_notify) loop
    if jsonb_typeof(n) <> 'object' then return format('each entry must be an object, not %s', jsonb_typeof(n)); end if;
    key := (select k from jsonb_object_keys(n) k where k not in ('on', 'to', 'late_seconds') limit 1);
    if key is not null then return format('unknown key %s; known are on, to, late_seconds', to_json(left(key, 100))); end if;
    if jsonb_typeof(n -> 'on') is distinct from 'array' or n -> 'on' = '[]' or not words @> (n -> 'on') then
      return format('"on" must be a list out of %s', words);
    end if;
    if (n -> 'on' ? 'late') <> (n ? 'late_seconds') then
      return 'late_seconds says after how long "late" is told: give both or neither';
    end if;
    if n ? 'late_seconds' then
      if jsonb_typeof(n -> 'late_seconds') <> 'number' then return 'late_seconds must be a number'; end if;
      seconds := (n ->> 'late_seconds')::numeric;
      if seconds <= 0 or seconds > 316224000 then return 'late_seconds must be above 0, and at most ten years'; end if;
    end if;
    if jsonb_typeof(n -> 'to') is distinct from 'string' then return '"to" must be the name of a channel, or an e-mail address'; end if;
    target := n ->> 'to';
    if position('@' in target) > 0 then
      if length(target) > 254 or target !~ '^[^[:space:][:cntrl:]@<>(),;:"\\]{1,64}@[[:alnum:]][[:alnum:].-]*$' then
        return format('%s is no e-mail address', to_json(left(target, 100)));
      end if;
      medium := 'email';
    else
      medium := (select c.kind from bellhand.channels c where c.name = target);
      if medium is null then
        return format('there is no channel %s%s', to_json(left(target, 100)),
          coalesce('; there is ' || (select string_agg(c.name, ', ' order by c.name) from (select x.name from bellhand.channels x order by x.name limit 10) c), ''));
      end if;
    end if;
    if not exists (select from bellhand.kinds k where k.name = 'notify.' || medium) then
      return format('no daemon delivers notify.%s; add "bellhand.notify" to modules and start one', medium);
    end if;
  end loop;
  return null;
end $$;
