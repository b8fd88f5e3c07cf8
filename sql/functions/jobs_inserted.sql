-- Places every job that a statement inserted where its claim will find it, checks it, and rings the bell.
-- Runs once a statement, as the schema's owner: producers hold INSERT on the payload columns and nothing else.
-- For most statements the first of its own is all there is to do: each one costs a single INSERT as much as a row.
create or replace function bellhand.jobs_inserted() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
  placed bigint; unknown text; checked boolean; watched boolean; later boolean := false; blocked boolean; soon boolean := true; bad record;
begin
  insert into bellhand.queue (lane, rank, epoch, id)
    select k.lane, 10 - n.priority, n.epoch, n.id from new_jobs n join bellhand.kinds k on k.name = n.kind
    where k.checks is null and n.run_at <= bellhand.now() and n.depends_on is null and n.notify is null and not k.watched;
  get diagnostics placed = row_count;
  if placed < (select count(*) from new_jobs) then
    select min(n.kind) filter (where k.name is null), bool_or(k.checks is not null), bool_or(n.notify is not null or k.watched),
           bool_or(n.run_at > bellhand.now()), bool_or(n.depends_on is not null), bool_or(n.run_at <= bellhand.now() + interval '30 seconds')
      into unknown, checked, watched, later, blocked, soon
      from new_jobs n left join bellhand.kinds k on k.name = n.kind;
    if unknown is not null then
      if (select value from bellhand.meta where name = 'unknown_kinds') is distinct from 'hold' then
        perform bellhand.refuse_kind(unknown);
      end if;
      insert into bellhand.parked (kind, id, epoch, rank, reason)
        select n.kind, n.id, n.epoch, 10 - n.priority, 'unknown_kind' from new_jobs n
        where n.depends_on is null and not exists (select from bellhand.kinds k where k.name = n.kind);
    end if;
    if checked then
      select n.kind, p.problem into bad from new_jobs n join bellhand.kinds k on k.name = n.kind
        cross join lateral (select bellhand.payload_problem(n.payload, k.checks) as problem) p
        where k.checks is not null and p.problem is not null limit 1;
      if found then
        raise exception using errcode = 'BH002', message = format('payload does not fit kind %s', to_json(bad.kind)), detail = bad.problem,
          hint = format('See what it takes: select schema from bellhand.kinds where name = %L; or: bellhand kinds %s', bad.kind, bad.kind);
      end if;
    end if;
    if watched then
      perform bellhand.watch_jobs(array(
        select n.id from new_jobs n left join bellhand.kinds k on k.name = n.kind where n.notify is not null or k.watched));
    end if;
    if checked or watched then
      insert into bellhand.queue (lane, rank, epoch, id)
        select k.lane, 10 - n.priority, n.epoch, n.id from new_jobs n join bellhand.kinds k on k.name = n.kind
        where (k.checks is not null or n.notify is not null or k.watched) and n.run_at <= bellhand.now() and n.depends_on is null;
    end if;
    if blocked then
      perform bellhand.place_dependents(array_agg(n.id)) from new_jobs n where n.depends_on is not null;
    end if;
    if later then
      insert into bellhand.scheduled (run_at, id, epoch, lane, rank)
        select n.run_at, n.id, n.epoch, k.lane, 10 - n.priority from new_jobs n join bellhand.kinds k on k.name = n.kind
        where n.run_at > bellhand.now() and n.depends_on is null;
    end if;
  end if;
  -- ring.sql written out, and the sequence asked without a statement.
  if soon and pg_sequence_last_value('bellhand.asleep_until') > extract(epoch from clock_timestamp()) * 1000
     and pg_notification_queue_usage() < 0.5 then
    perform pg_notify('bellhand', case when later then 'soon' else '' end);
  end if;
  return null;
end $$;

create or replace trigger jobs_inserted after insert on bellhand.jobs
  referencing new table as new_jobs for each statement execute function bellhand.jobs_inserted();
