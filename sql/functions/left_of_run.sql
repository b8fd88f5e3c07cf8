-- What is left of a run, in seconds, that has taken p_elapsed already: the quantiles of those measured runs that took longer. With
-- fewer than 20 measured the band is wider, by the square root of what is missing. No row when it is longer than all of them.
create or replace function bellhand.left_of_run(p_quantiles float8[], p_samples integer, p_elapsed float8,
  out low float8, out at float8, out high float8, out mean float8, out deviation float8)
language plpgsql immutable parallel safe as $$
declare
  q float8[]; wider float8 := sqrt(20.0 / greatest(1, least(p_samples, 20)));
begin
  select percentile_cont(array[0.05, 0.5, 0.95]) within group (order by v), avg(v), stddev_pop(v) into q, mean, deviation
    from unnest(p_quantiles) v where v > p_elapsed or p_elapsed <= 0;
  if q is null then return; end if;
  mean := mean - p_elapsed;
  at := q[2] - p_elapsed;
  -- In proportion: runs of a kind differ by factors, not by seconds.
  low := greatest(0, q[2] * (q[1] / greatest(q[2], 1e-6)) ^ wider - p_elapsed);
  high := q[2] * (q[3] / greatest(q[2], 1e-6)) ^ wider - p_elapsed;
end $$;
