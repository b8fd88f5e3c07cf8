-- Enqueues the jobs of a JSON array in a program's own transaction; texts alone are its parameters, so every driver can send them.
select id, key, created from bellhand.enqueue_many(cast(cast($1 as text) as jsonb), cast($2 as text)) order by ordinal
