-- What the failures of a group have in common and completed jobs of their kind have not: `failures` of `failures_of` sampled ones and
-- `successes` of `successes_of` are so, the most telling first. A number is told as the bound that parts the two best. Nothing is told
-- of fewer than 3 failures or 5 successes, nor of what not 4 of 5 failures have and at most 1 of 5 successes.
create or replace function bellhand.failure_contrast(p_fingerprint text, p_samples integer default 200)
returns table (fact text, failures bigint, failures_of bigint, successes bigint, successes_of bigint) language sql stable set jit = off as $$
  with f as materialized (select * from bellhand.failure_samples(p_fingerprint, p_samples)),
  sizes as (select count(distinct x.job) filter (where x.failed) as bad, count(distinct x.job) filter (where not x.failed) as good from f x),
  as_is as (
    select x.what || ' is ' || coalesce(to_json(x.value)::text, 'not given') as fact,
      count(distinct x.job) filter (where x.failed) as bad, count(distinct x.job) filter (where not x.failed) as good
    from f x where x.value is not null and x.what <> 'priority' group by x.what, x.value),
  absent as (
    select n.what || ' is not given' as fact, s.bad - count(distinct x.job) filter (where x.failed) as bad,
      s.good - count(distinct x.job) filter (where not x.failed) as good
    from (select distinct y.what from f y where y.what like 'payload.%' or y.what like 'tags.%') n cross join sizes s
      join f x on x.what = n.what group by n.what, s.bad, s.good),
  bounds as (
    select x.what, max(x.number) filter (where not x.failed) as good_most, min(x.number) filter (where not x.failed) as good_least,
      percentile_disc(0.1) within group (order by x.number) filter (where x.failed) as bad_low,
      percentile_disc(0.9) within group (order by x.number) filter (where x.failed) as bad_high,
      percentile_disc(0.9) within group (order by x.number) filter (where not x.failed) as good_high,
      percentile_disc(0.1) within group (order by x.number) filter (where not x.failed) as good_low
    from f x where x.number is not null group by x.what),
  sides as (
    select b.what, 1 as side, case when b.bad_low > b.good_most then b.good_most else b.good_high end as bound from bounds b where b.bad_low > b.good_high
    union all
    select b.what, -1, case when b.bad_high < b.good_least then b.good_least else b.good_low end from bounds b where b.bad_high < b.good_low),
  beyond as (
    select s.what || case s.side when 1 then ' > ' else ' < ' end || s.bound::numeric as fact,
      count(distinct x.job) filter (where x.failed) as bad, count(distinct x.job) filter (where not x.failed) as good
    from sides s join f x on x.what = s.what and x.number * s.side > s.bound * s.side group by s.what, s.side, s.bound)
  select c.fact, c.bad, s.bad, c.good, s.good
  from (select * from as_is union all select * from absent union all select * from beyond) c cross join sizes s
  where s.bad >= 3 and s.good >= 5 and c.bad >= 0.8 * s.bad and c.good <= 0.2 * s.good
  order by c.bad::float8 / s.bad - c.good::float8 / s.good desc, length(c.fact), c.fact limit 10
$$;
