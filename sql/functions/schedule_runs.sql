-- What the newest ticks of some schedules came to, the oldest first: at most p_most each, of 25 schedules at most, whose 500 jobs take 25 ms in 40 days of history. A tick is found by the
-- primary key of schedule_ticks, its job by its id in the days since the tick; a partition of history that nobody has analyzed yet would be read
-- whole, so the planner is not asked. `state` is null where the job is not over, or retention has removed it.
create or replace function bellhand.schedule_runs(p_names text[], p_most integer)
returns table (schedule text, tick timestamptz, job bigint, state text, seconds double precision) language plpgsql stable
set enable_seqscan = off set jit = off set max_parallel_workers_per_gather = 0 as $$
begin
  return query
    select t.schedule, t.tick, t.job, case when h.partial then 'partial' else h.state end, extract(epoch from h.finished_at - h.started_at)::float8
    from unnest(p_names[:25]) n(name)
    cross join lateral (select x.schedule, x.tick, x.job from bellhand.schedule_ticks x where x.schedule = n.name order by x.tick desc limit p_most) t
    left join lateral (select y.state, y.partial, y.started_at, y.finished_at from bellhand.history y where y.id = t.job and y.finished_at >= t.tick
      order by y.finished_at desc limit 1) h on true
    order by 1, 2;
end $$;
