-- Makes the schedules of the configuration ([{name, cron, timezone, kind, payload, priority, missed, missed_max, notify}]) the
-- ones in force; those it no longer names are deleted. Schedules made by SQL are left alone.
create or replace function bellhand.publish_schedules(p_schedules jsonb) returns void language plpgsql as $$
begin
  delete from bellhand.schedules s where s.source = 'config'
    and s.name not in (select k ->> 'name' from jsonb_array_elements(p_schedules) k);
  insert into bellhand.schedules as old (name, cron, timezone, kind, payload, priority, missed, missed_max, notify, source)
    select k.name, k.cron, k.timezone, k.kind, k.payload, k.priority, k.missed, k.missed_max, nullif(k.notify, '[]'), 'config'
    from jsonb_to_recordset(p_schedules) k(name text, cron text, timezone text, kind text, payload jsonb, priority smallint,
      missed text, missed_max integer, notify jsonb) order by k.name
    on conflict (name) do update set cron = excluded.cron, timezone = excluded.timezone, kind = excluded.kind, payload = excluded.payload,
      priority = excluded.priority, missed = excluded.missed, missed_max = excluded.missed_max, notify = excluded.notify, source = 'config',
      -- A new expression is counted from now on; the old next tick means nothing to it.
      next_at = case when (old.cron, old.timezone) = (excluded.cron, excluded.timezone) then old.next_at end, error = null, again_at = null
    where (old.cron, old.timezone, old.kind, old.payload, old.priority, old.missed, old.missed_max, old.notify, old.source)
      is distinct from (excluded.cron, excluded.timezone, excluded.kind, excluded.payload, excluded.priority, excluded.missed, excluded.missed_max, excluded.notify, 'config');
end $$;
