-- What the handler of a job logged, oldest first: lines at least as serious as p_level (debug, info, warning, error, critical), of step
-- p_step, of attempt p_attempt, since p_since, that hold p_words in any case; only those behind line p_after of epoch p_after_epoch, where
-- a reader stopped. The newest lines are kept (job_lines_max and job_bytes_max under [log]); `number` counts those that were dropped too.
create or replace function bellhand.job_log(
  p_job bigint, p_level text default 'debug', p_step text default null, p_attempt integer default null, p_since timestamptz default null,
  p_words text default null, p_after_epoch integer default 0, p_after bigint default 0)
returns table (epoch integer, number bigint, attempt smallint, at timestamptz, level text, step text, message text, fields jsonb)
language sql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
  with told as (
    -- A chunk that was written twice is told once.
    select distinct on (c.epoch, c.first + x.n) c.epoch, c.first + x.n - 1 as number, c.attempt,
      c.at - (x.line ->> 0)::float8 * interval '1 millisecond' as at, x.line ->> 1 as level, x.line ->> 2 as step, x.line ->> 3 as message, x.line -> 4 as fields
    from bellhand.job_lines c cross join lateral jsonb_array_elements(c.lines::jsonb) with ordinality x(line, n)
    where c.job = p_job and (c.epoch, c.last) > (p_after_epoch, p_after) and (p_attempt is null or c.attempt = p_attempt)
    order by c.epoch, c.first + x.n, c.at)
  select t.epoch, t.number, t.attempt, t.at, t.level, t.step, t.message, t.fields from told t
  where (t.epoch, t.number) > (p_after_epoch, p_after)
    and array_position(array['debug', 'info', 'warning', 'error', 'critical'], t.level)
      >= array_position(array['debug', 'info', 'warning', 'error', 'critical'], p_level)
    and (p_step is null or t.step = p_step) and (p_since is null or t.at >= p_since)
    and (p_words is null or strpos(lower(t.message || ' ' || t.fields::text), lower(p_words)) > 0)
  order by t.epoch, t.number
$$;
