-- What those who watch need: the log by transaction, tickets for browsers, and totals that outlive the minutes.

-- A stream goes on where it was by what was not yet visible then (events_since.sql): by transaction, since numbers of a sequence
-- commit in any order.
create index events_xid on bellhand.events (xid, seq);

-- What an end user's browser shows instead of a token: good for one job, for a while. Only its digest is kept.
create table bellhand.tickets (
  digest     bytea       primary key check (octet_length(digest) = 32),
  job        bigint      not null,
  key        uuid        not null,
  cancel     boolean     not null,   -- whether its holder may cancel the job
  expires_at timestamptz not null,
  made_by    text        not null,
  made_at    timestamptz not null default bellhand.now()
);
create index tickets_expiry on bellhand.tickets (expires_at);   -- for deleting them

-- How attempts of each kind ended, ever: what statistics without a window are read from.
create table bellhand.totals (
  kind        text             not null,
  outcome     text             not null,
  jobs        bigint           not null,
  run_seconds double precision not null,
  primary key (kind, outcome)
) with (fillfactor = 50);
select bellhand.allow('worker', 'select, insert, update, delete on bellhand.tickets, bellhand.totals');
select bellhand.allow('reader', 'select on bellhand.totals');
