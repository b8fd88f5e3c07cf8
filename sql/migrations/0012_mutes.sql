-- A group of failures can be left out until new code comes: then muted_until is infinity, and the next deploy ends it.
alter table bellhand.failures add column muted_until_deploy boolean not null default false;
