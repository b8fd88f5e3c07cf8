-- How many seconds a run of a job still takes, as a band, p_elapsed seconds after it was claimed: by the named steps that it has not
-- done, else by its steps or items left at the pace of the kind and, the more it has done, its own; else by the runs that took longer.
-- p_units: how many steps or items it will have; null: what its progress says.
create or replace function bellhand.run_left(p_job bigint, p_kind text, p_progress jsonb, p_elapsed float8, p_units float8 default null,
  out low float8, out at float8, out high float8, out samples integer, out basis text, out reason text)
language plpgsql stable set jit = off as $$
declare
  whole bellhand.run_times; part bellhand.run_times; n record; x record; done float8; units float8; here float8; in_step float8; own float8; weight float8;
  pace float8; spread float8; remaining float8;
begin
  select * into whole from bellhand.run_times t where t.kind = p_kind and t.step = '';
  if whole.samples is null then
    reason := 'fewer than 3 runs of its kind were measured';
    return;
  end if;
  samples := whole.samples;
  done := coalesce((p_progress ->> 'steps_done')::float8 + coalesce((p_progress ->> 'steps_failed')::float8, 0), (p_progress ->> 'done')::float8, 0);
  units := coalesce(p_units, (p_progress ->> 'steps_total')::float8, (p_progress ->> 'total')::float8);
  -- Steps that nearly every job of the kind has, by their names: what is left of the one it is in, and the others.
  select count(*) as steps, coalesce(sum(t.mean), 0) as seconds, coalesce(sum(t.mean) filter (where s.name is null), 0) as left_seconds,
      coalesce(sum(t.deviation ^ 2) filter (where s.name is null), 0) as left_variance, count(s.name) as done into n
    from bellhand.run_times t left join bellhand.steps s on s.job = p_job and s.name = t.step and s.state = 'completed'
    where t.kind = p_kind and t.step not in ('', '*');
  -- Not where the job said that it has another number of them: then the names are numbers, or the like.
  if n.steps > n.done and n.seconds > 0 and (units is null or units = n.steps or (p_units is null and units <= done + 1)) then
    if p_elapsed > 0 then
      in_step := coalesce((select extract(epoch from bellhand.now() - max(s.finished_at)) from bellhand.steps s where s.job = p_job), p_elapsed);
      select t.mean as was, m.mean, m.deviation, t.deviation as deviated into x from bellhand.run_times t
        left join lateral bellhand.left_of_run(t.quantiles, t.samples, least(in_step, p_elapsed)) m on true
        where t.kind = p_kind and t.step = p_progress ->> 'step';
      if found then
        -- Longer than all: half as long again.
        n.left_seconds := greatest(0, n.left_seconds - x.was) + coalesce(x.mean, in_step / 2);
        n.left_variance := greatest(0, n.left_variance - x.deviated ^ 2) + coalesce(x.deviation, in_step / 2) ^ 2;
      end if;
    end if;
    -- Steps side by side take less than their sum; what lies between them takes some of the run as well.
    remaining := n.left_seconds * whole.mean / n.seconds;
    select b.low, b.at, b.high into low, at, high from bellhand.band(remaining, sqrt(n.left_variance * (whole.mean / n.seconds) ^ 2 + (0.15 * remaining) ^ 2)) b;
    basis := format('%s of %s left, %s', n.steps - n.done, bellhand.counted(n.steps, 'step'), bellhand.counted(samples, 'run'));
    return;
  end if;
  select * into part from bellhand.run_times t where t.kind = p_kind and t.step = '*';
  -- A total that grows as it goes is none.
  if part.samples is not null and units > 0 and (units > done + 1 or units >= 0.8 * part.parts) then
    here := case when p_elapsed <= 0 then 0 when p_progress ? 'steps_done' then (
        select count(*) from (select from bellhand.steps s where s.job = p_job and s.finished_at >= bellhand.now() - make_interval(secs => p_elapsed) limit 2000) d)
      else done end;
    weight := case when p_elapsed > 0 then here / (here + 3) else 0 end;
    own := p_elapsed / greatest(here + 0.5, 1);
    pace := greatest(part.quantiles[21], 1e-6) ^ (1 - weight) * greatest(own, 1e-6) ^ weight;
    remaining := greatest(units - done - case when p_elapsed > 0 then 0.5 else 0 end, 0.3);
    spread := sqrt(((1 - weight) * ln(greatest(part.quantiles[39], 1e-6) / greatest(part.quantiles[3], 1e-6)) / 3.29) ^ 2
      + part.unevenness ^ 2 / remaining + (weight * part.unevenness) ^ 2 / (here + 1)) * sqrt(20.0 / least(part.samples, 20));
    at := remaining * pace;
    low := at * exp(-1.645 * spread);
    high := at * exp(1.645 * spread);
    samples := part.samples;
    basis := format('%s of %s parts left, %s', units - done, units, bellhand.counted(samples, 'run'));
    return;
  end if;
  select m.low, m.at, m.high into low, at, high from bellhand.left_of_run(whole.quantiles, samples, p_elapsed) m;
  if at is null then
    reason := format('it has run longer than all of the %s that were measured', samples);
  else
    basis := format('%s of its kind', bellhand.counted(samples, 'run'));
  end if;
end $$;
