-- Judges what was foretold, foretells some more, and says how well it went this week until now, and of how many that is said; one row of nulls if
-- nothing was judged.
select c.what, c.held_ratio, c.error_ratio, c.judged from (select bellhand.keep_score() offset 0) kept left join (
  select x.what, sum(x.held)::float8 / sum(x.judged) as held_ratio, sum(x.error_ratio * x.judged) / sum(x.judged) as error_ratio,
    sum(x.judged)::bigint as judged
  from bellhand.eta_calibration x group by x.what) c on true
