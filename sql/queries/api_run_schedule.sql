-- Enqueues the job of schedule $1 now, as actor $2.
select (x.made).id, (x.made).key from (
  select bellhand.run_schedule($1) as made from (select set_config('bellhand.actor', $2, true) offset 0) who offset 0) x
