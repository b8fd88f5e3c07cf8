-- Takes back the jobs of workers whose heartbeat stopped p_lease_seconds ago: each runs again, or fails for good when
-- its worker died under it p_crashes_max times or its attempts are used up. Guards: SKIP LOCKED lets several daemons
-- rescue at once, a worker that beats holds its row's lock, and the epoch fences whatever the lost worker still writes.
create or replace function bellhand.rescue(p_lease_seconds float8, p_crashes_max integer)
returns table (worker uuid, name text, jobs bigint, failed bigint) language plpgsql as $$
declare
  w record; held_ids bigint[]; held_epochs integer[];
begin
  for w in select x.id, x.name, x.host, x.pid from bellhand.workers x
           where x.beat < bellhand.now() - make_interval(secs => p_lease_seconds) for update skip locked loop
    with gone as (delete from bellhand.leases l where l.worker = w.id returning l.ids, l.epochs)
      select array_agg(u.id), array_agg(u.epoch) into held_ids, held_epochs from gone g cross join unnest(g.ids, g.epochs) u(id, epoch);
    delete from bellhand.lane_holds h where h.worker = w.id;
    delete from bellhand.workers x where x.id = w.id;
    worker := w.id; name := w.name;
    select count(*), count(*) filter (where s.outcome = 'fail') into jobs, failed
      from bellhand.settle_crashed(held_ids, held_epochs, p_crashes_max, format('worker_lost: %s (pid %s on %s) stopped beating', w.name, w.pid, w.host)) s;
    insert into bellhand.events (type, data) values ('worker_lost',
      jsonb_build_object('worker', w.name, 'host', w.host, 'pid', w.pid, 'jobs', jobs, 'failed', failed));
    perform bellhand.ring();
    return next;
  end loop;
end $$;
