-- How well it was foretold over the last seven days when jobs start and finish: how often the band held, of how many, and how far off
-- its middle was on average, as a part of the time that it took.
create or replace view bellhand.eta_calibration as
  select s.kind, s.what, sum(s.judged)::bigint as judged, sum(s.held)::bigint as held, sum(s.early)::bigint as early,
    (sum(s.judged) - sum(s.held) - sum(s.early))::bigint as late, sum(s.held)::float8 / sum(s.judged) as held_ratio, sum(s.error_sum) / sum(s.judged) as error_ratio
  from bellhand.eta_scores s where s.day > (bellhand.now() at time zone 'UTC')::date - 7
  group by s.kind, s.what;
select bellhand.allow(who, 'select on bellhand.eta_calibration') from unnest(array['reader', 'worker']) who;
