-- What has been applied, and by which version of the program; fails while there is no ledger.
select name, checksum, version from bellhand.migrations;
