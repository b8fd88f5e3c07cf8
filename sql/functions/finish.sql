-- Moves jobs to history as failed or cancelled and tells those that wait for them, or want to know. The caller has decided that they
-- are over; the row locks taken here keep a claim or a settle from deciding otherwise at the same time.
create or replace function bellhand.finish(p_ids bigint[], p_state text, p_error text default null) returns bigint language plpgsql as $$
declare
  over bigint[];
begin
  if coalesce(cardinality(p_ids), 0) = 0 then return 0; end if;
  with gone as (
    delete from bellhand.jobs j where j.id = any (p_ids) returning j.*),
  kept as (
    insert into bellhand.history (id, key, kind, payload, priority, run_at, attempts_max, timeout_seconds, unique_key, owner, tags,
        depends_on, depends_policy, notify, source, created_at, state, epoch, attempts, crashes, worker, started_at, progress,
        error, partial, result, finished_at)
      select g.id, g.key, g.kind, g.payload, g.priority, g.run_at, g.attempts_max, g.timeout_seconds, g.unique_key, g.owner, g.tags,
        g.depends_on, g.depends_policy, g.notify, g.source, g.created_at, p_state, g.epoch, g.attempts, g.crashes, g.worker, g.started_at,
        g.progress, coalesce(p_error, g.error), false, null, bellhand.now() from gone g returning id, kind, error),
  told as (
    insert into bellhand.events (type, job, kind, data)
      select p_state, k.id, k.kind, case when k.error is not null then jsonb_build_object('error', right(k.error, 1000)) end from kept k)
  select array_agg(id) into over from kept;
  if over is null then return 0; end if;
  perform bellhand.release_dependents(over);
  if exists (select from bellhand.watched w where w.job = any (over)) or exists (select from bellhand.subscriptions s where p_state = any (s.states)) then
    perform bellhand.tell_over(over, bellhand.now());
  end if;
  return cardinality(over);
end $$;
