-- Makes the partitions of history and of what jobs logged, of today and the next p_days days; returns how many it made. As the schema's
-- owner, since the daemon's role owns nothing. A day that already has rows in the default partition is left there.
create or replace function bellhand.prepare_history(p_days integer default 7) returns integer language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
  day timestamptz; part text; whole text; taken boolean; made integer := 0;
begin
  for n in 0 .. p_days loop
    day := date_trunc('day', bellhand.now(), 'UTC') + n * interval '1 day';
    foreach whole in array array['history', 'job_lines'] loop
      part := whole || '_' || to_char(day at time zone 'UTC', 'YYYYMMDD');
      continue when to_regclass('bellhand.' || part) is not null;
      execute format('select exists (select from bellhand.%I x where x.%I >= $1 and x.%2$I < $1 + interval ''1 day'')', whole || '_default',
        case whole when 'history' then 'finished_at' else 'at' end) into taken using day;
      continue when taken;
      begin
        execute format('create table bellhand.%I (like bellhand.%I including defaults including constraints)', part, whole);
        -- Attaching waits for no reader or writer of the other partitions, unlike CREATE ... PARTITION OF.
        execute format('alter table bellhand.%I attach partition bellhand.%I for values from (%L) to (%L)', whole, part, day, day + interval '1 day');
        perform bellhand.allow('worker', format('select, insert, update, delete on bellhand.%I', part));
        made := made + 1;
      exception when duplicate_table then
        null;  -- another daemon was faster
      end;
    end loop;
  end loop;
  return made;
end $$;
revoke execute on function bellhand.prepare_history from public;
select bellhand.allow('worker', 'execute on function bellhand.prepare_history');
