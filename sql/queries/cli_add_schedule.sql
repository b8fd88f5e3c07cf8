-- Makes schedule $1 of cron $2 in zone $3 for kind $4 with payload $5, priority $6, missed $7 and missed_max $8, notify $9, due next at $10; $11: or changes it; as actor $12.
select bellhand.add_schedule($1, $2, $3, $4, $5::text::jsonb, $6, $7, $8, $9::text::jsonb, $10, $11)::text as said
from (select set_config('bellhand.actor', $12, true) offset 0) who
