-- Takes back the jobs of workers whose heartbeat stopped p_lease_seconds ago: each runs again, or fails for good when
-- its worker died under it p_crashes_max times or its attempts are used up. Guards: SKIP LOCKED lets several daemons
-- rescue at once, a worker that beats holds its row's lock, and the epoch fences whatever the lost worker still writes.
-- After an outage whoever beats first finds all others silent, who are about to beat too: a worker (p_worker; null: anybody) that was
-- silent for a lease itself waits another one before it gives anybody up.
create or replace function bellhand.rescue(p_lease_seconds float8, p_crashes_max integer, p_worker uuid default null)
returns table (worker uuid, name text, jobs bigint, failed bigint) language plpgsql as $$
declare
  w record; held record;
begin
  if exists (select from bellhand.workers x where x.id = p_worker and x.heard_again_at > bellhand.now() - make_interval(secs => p_lease_seconds)) then
    return;
  end if;
  for w in select x.id, x.name, x.host, x.pid, x.suspect, x.waiting from bellhand.workers x
           where x.beat < bellhand.now() - make_interval(secs => p_lease_seconds) for update skip locked loop
    held := bellhand.drop_leases(array(select l.id from bellhand.leases l where l.worker = w.id));
    delete from bellhand.lane_holds h where h.worker = w.id;
    delete from bellhand.workers x where x.id = w.id;
    worker := w.id; name := w.name;
    select count(*), count(*) filter (where s.outcome = 'fail') into jobs, failed
      from bellhand.settle_crashed(w.id, held.ids, held.epochs, held.run_seconds, w.suspect, w.waiting, p_crashes_max,
        format('worker_lost: %s (pid %s on %s) stopped beating', w.name, w.pid, w.host)) s;
    insert into bellhand.events (type, data) values ('worker_lost',
      jsonb_build_object('worker', w.name, 'host', w.host, 'pid', w.pid, 'jobs', jobs, 'failed', failed));
    perform bellhand.ring();
    return next;
  end loop;
end $$;
