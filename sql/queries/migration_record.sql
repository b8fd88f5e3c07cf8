-- Notes that a file ($1 name, $2 checksum, $3 version, $4 the oldest version that works with it) is being applied; written before the file runs, in the same
-- transaction, so that a second migration of the same file cannot get past it.
insert into bellhand.migrations (name, checksum, version, tolerates) values ($1, $2, $3, $4)
on conflict (name) do update set checksum = excluded.checksum, version = excluded.version, tolerates = excluded.tolerates, applied_at = statement_timestamp();
