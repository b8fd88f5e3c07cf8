-- Whether there is a group of failures with fingerprint $1; by its key.
select f.fingerprint from bellhand.failures f where f.fingerprint = $1
