-- Tells channel $2 from now on, under the name $1, of jobs of kinds $4 that end as $3 says, or are $5 seconds late, as actor $6.
select bellhand.subscribe($1, $2, $3, $4, $5)::text as said from (select set_config('bellhand.actor', $6, true) offset 0) who
