-- Tells worker $1 (id or name) to claim nothing more for reason $2, as actor $3.
select bellhand.drain_worker($1, $2) as id from (select set_config('bellhand.actor', $3, true) offset 0) who
