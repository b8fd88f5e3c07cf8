-- Writes one setting of the queue that the insert trigger reads.
insert into bellhand.meta (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value where meta.value <> excluded.value
