-- How long runs of a kind and their steps take, from a sample of those that completed: of step '' the whole run, of '*' its share of one step
-- or item, else a step that nearly all its jobs have.
create or replace view bellhand.stages as
  select t.kind, t.step, t.samples, t.quantiles[21] as p50_seconds, t.quantiles[39] as p95_seconds, t.since
  from bellhand.run_times t;
select bellhand.allow(who, 'select on bellhand.stages') from unnest(array['reader', 'worker']) who;
