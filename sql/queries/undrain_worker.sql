-- Lets worker $1 (id or name) claim again, as actor $2.
select bellhand.undrain_worker($1) as id from (select set_config('bellhand.actor', $2, true) offset 0) who
