-- What has been applied, by which version of the program, and the oldest that works with it; fails while there is no ledger.
select name, checksum, version, to_jsonb(m) ->> 'tolerates' as tolerates from bellhand.migrations m;
