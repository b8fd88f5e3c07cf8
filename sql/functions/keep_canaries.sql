-- Takes in the canaries that came back, and sends one through each lane whose last one went out p_seconds ago.
--
-- It must disturb nobody: none goes where a job waits (that job tells as much), where every slot is taken, where a start costs
-- a token (a rate), or where an operator has paused; and one that is out is taken back when its lane becomes like that. So one
-- that is out and not back means: here is room, and nobody takes what is due. A lane that no live worker serves still gets its
-- canary, for a week: its daemon may be down.
-- Guard: the row of the lane, SKIP LOCKED, so that of several daemons one does it.
create or replace function bellhand.keep_canaries(p_seconds float8) returns void language plpgsql as $$
declare
  c record; w record; back record; made bigint; away boolean; t timestamptz := bellhand.now();
begin
  insert into bellhand.canaries (lane)
    select l.id from bellhand.lanes l where not exists (select from bellhand.canaries x where x.lane = l.id)
      and exists (select from bellhand.kinds k join bellhand.workers v on k.name = any (v.kinds) and (v.lanes = '{}' or l.name = any (v.lanes))
                  where k.lane = l.id)
    order by l.id on conflict do nothing;
  for c in select x.*, l.name, l.paused or l.rate_per_second is not null as left_out, l.concurrency
           from bellhand.canaries x join bellhand.lanes l on l.id = x.lane order by x.lane for update of x skip locked loop
    if c.job is not null then
      delete from bellhand.history h where h.id = c.job and h.kind = 'bellhand.canary' and h.finished_at >= c.sent_at
        returning h.state, h.finished_at, extract(epoch from h.finished_at - h.created_at)::float8 as seconds into back;
      if found then
        update bellhand.canaries x set job = null, back_at = case when back.state = 'completed' then back.finished_at else x.back_at end,
          roundtrip_seconds = case when back.state = 'completed' then back.seconds else x.roundtrip_seconds end where x.lane = c.lane;
        c.job := null;
      end if;
    end if;
    -- One whose worker died, or had no handler, was placed anew: in the lane of its kind, which perhaps nobody serves. A row of
    -- its own, since a position that has passed a transaction never sees it again.
    with stray as (delete from bellhand.queue q where q.id = c.job and q.lane <> c.lane returning q.rank, q.epoch, q.id)
      insert into bellhand.queue (lane, rank, epoch, id) select c.lane, s.rank, s.epoch, s.id from stray s;
    if found then perform bellhand.ring(); end if;
    select count(*) > 0 as served, coalesce(bool_or(v.busy < v.capacity), true) as room into w from bellhand.workers v
      where not v.draining and 'bellhand.canary' = any (v.kinds) and (v.lanes = '{}' or c.name = any (v.lanes))
        and exists (select from bellhand.kinds k where k.lane = c.lane and k.name = any (v.kinds));
    away := not w.served and c.served_at < t - interval '7 days';
    if c.left_out or away or not w.room
       or exists (select from bellhand.queue q where q.lane = c.lane and q.id is distinct from c.job)
       or c.concurrency <= (select coalesce(sum(h.slots), 0) from bellhand.lane_holds h where h.lane = c.lane) then
      perform from bellhand.jobs j where j.id = c.job for update skip locked;
      if found and bellhand.take_out(c.job) then
        delete from bellhand.jobs j where j.id = c.job;
        update bellhand.canaries x set job = null where x.lane = c.lane;
      end if;
      if away then delete from bellhand.canaries x where x.lane = c.lane; end if;
      continue;
    end if;
    if w.served and c.served_at < t - interval '1 minute' then
      update bellhand.canaries x set served_at = t where x.lane = c.lane;
    end if;
    -- One that is nowhere was cancelled, or lost with a restore: another goes.
    continue when c.sent_at > t - make_interval(secs => p_seconds) or exists (select from bellhand.jobs j where j.id = c.job);
    insert into bellhand.jobs (kind, payload, source) values ('bellhand.canary', jsonb_build_object('lane', c.name), 'canary') returning id into made;
    -- The trigger has placed it in the lane of its kind; nobody has seen it there.
    update bellhand.queue q set lane = c.lane where q.id = made and q.lane <> c.lane;
    update bellhand.canaries x set job = made, sent_at = t where x.lane = c.lane;
  end loop;
end $$;
