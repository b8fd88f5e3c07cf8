-- Measures one kind: its runs ('' in run_times), its pace for each step or item ('*'), and the steps that most of its jobs have.
create or replace function bellhand.measure_kind(p_kind text) returns void language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  t timestamptz := bellhand.now(); shares float8[] := array(select i / 40.0 from generate_series(0, 40) i);
  ids bigint[]; runs float8[]; units float8[]; oldest timestamptz; stepped bigint[];
begin
  select array_agg(d.id), array_agg(d.run), array_agg(d.units), min(d.finished_at) into ids, runs, units, oldest from (
    select distinct h.id, h.finished_at, extract(epoch from h.finished_at - h.started_at)::float8 as run,
      -- What an earlier attempt did took no time of this one.
      case when h.attempts = 0 then nullif(coalesce((h.progress ->> 'steps_done')::float8, (h.progress ->> 'total')::float8), 0) end as units
    from unnest(array[0, 60, 600, 3600, 14400, 86400, 259200]) ago
    cross join lateral (
      select y.* from (
        select x.id, x.finished_at, x.started_at, x.attempts, x.progress, x.state from bellhand.history x
        where x.kind = p_kind and x.finished_at <= t - ago * interval '1 second' and x.finished_at > t - interval '7 days'
        order by x.finished_at desc limit 300) y
      where y.state = 'completed' and y.started_at is not null limit 60) h) d;
  if ids is null then
    -- Nothing completed: looked at, and not to be looked at again at once.
    update bellhand.run_times x set measured_at = t where x.kind = p_kind;
    return;
  end if;
  delete from bellhand.run_times x where x.kind = p_kind;
  insert into bellhand.run_times (kind, step, samples, mean, deviation, quantiles, since)
    select p_kind, '', count(*), avg(r), coalesce(stddev_samp(r), 0), percentile_cont(shares) within group (order by r), oldest
    from unnest(runs) r having count(*) >= 3;
  if not found then return; end if;
  -- Of jobs with steps: those that have few, and of what the steps took.
  stepped := array(select u.id from unnest(ids, units) u(id, units) where u.units is not null limit 60);
  insert into bellhand.run_times (kind, step, samples, mean, deviation, quantiles, parts, unevenness, since)
    select p_kind, '*', count(*), avg(u.run / u.units), coalesce(stddev_samp(u.run / u.units), 0),
      percentile_cont(shares) within group (order by u.run / u.units), percentile_cont(0.5) within group (order by u.units),
      coalesce((select avg(s.uneven) from (
        select stddev_samp(x.seconds) / nullif(avg(x.seconds), 0) as uneven from unnest(stepped) j(id)
        cross join lateral (select extract(epoch from s.finished_at - s.started_at)::float8 as seconds from bellhand.steps s
          where s.job = j.id and s.state = 'completed' limit 20) x
        group by j.id having count(*) >= 3) s), 0.5), oldest
    from unnest(runs, units) u(run, units) where u.units is not null having count(*) >= 3 and count(*) >= 0.5 * cardinality(runs);
  if not found then return; end if;
  insert into bellhand.run_times (kind, step, samples, mean, deviation, quantiles, since)
    select p_kind, s.name, count(*), avg(s.seconds), coalesce(stddev_samp(s.seconds), 0), percentile_cont(shares) within group (order by s.seconds), oldest
    from unnest(stepped) j(id)
    cross join lateral (select x.name, extract(epoch from x.finished_at - x.started_at)::float8 as seconds, count(*) over () as n from (
      select s.* from bellhand.steps s where s.job = j.id limit 31) x where x.finished_at is not null) s
    where s.n <= 30 and s.name not in ('', '*')
    group by s.name having count(*) >= 3 and count(*) >= 0.8 * cardinality(stepped);
  -- Names that most of a job's steps do not have are none to go by.
  delete from bellhand.run_times x where x.kind = p_kind and x.step not in ('', '*')
    and (select count(*) from bellhand.run_times y where y.kind = p_kind and y.step not in ('', '*'))
      < 0.7 * (select y.parts from bellhand.run_times y where y.kind = p_kind and y.step = '*');
end $$;
