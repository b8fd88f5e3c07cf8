-- What has been applied, by which version of the program, the oldest that works with it, and when; fails while there is no ledger.
select name, checksum, version, to_jsonb(m) ->> 'tolerates' as tolerates, applied_at from bellhand.migrations m;
