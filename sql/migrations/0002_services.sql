-- Outside services that cost money and have limits: how each fares, what was used of it, what it answered.

-- One row a service, made by the first call: the fleet's token bucket, the breaker, the spending of this day and month.
-- A call takes its row's lock for one short statement before it goes out, and another after a fault.
create table bellhand.services (
  name         text        primary key check (name ~ '^[a-z0-9_]{1,50}$'),
  tokens       double precision not null,          -- below 0: calls that were let go and wait for their token
  tokens_at    timestamptz not null default bellhand.now(),
  state        text        not null default 'closed' check (state in ('closed', 'open', 'half_open')),
  failures     integer     not null default 0,     -- of the service itself, in a row
  opens        integer     not null default 0,     -- in a row, without a success in between
  changed_at   timestamptz not null default bellhand.now(),
  retry_at     timestamptz,                        -- when an open breaker lets one call through, or gives up the one it let
  ticket       uuid,                               -- of that call
  error        text,                               -- what was wrong last
  paused_until timestamptz,                        -- the service itself asks to wait: quota spent, key refused, slow down
  paused_reason text,
  paused_key   text,                               -- the fingerprint of the key that this holds for
  day          date        not null,               -- UTC; the sums below are of this day and its month
  day_calls    bigint      not null default 0,
  day_cost_microdollars bigint not null default 0,
  month_calls  bigint      not null default 0,
  month_cost_microdollars bigint not null default 0
) with (fillfactor = 50);

-- What was used, by day (UTC) and by whom: the bill. Units are tokens for a model, searches for a search service.
create table bellhand.usage (
  day       date   not null,
  service   text   not null,
  operation text   not null,
  kind      text   not null,     -- empty: no job made the call
  owner     text   not null,     -- empty: the job has none
  calls     bigint not null,
  failures  bigint not null,
  units_in  bigint not null,
  units_out bigint not null,
  cost_microdollars bigint,          -- estimated by the prices in the settings; null: no call of a known price
  unpriced_calls bigint not null default 0,   -- of models that no price is known for: the cost is that of the others
  primary key (day, service, operation, kind, owner)
);

-- The same without owners and operations: a few rows a day, for what is looked at every two seconds.
create table bellhand.usage_days (
  day       date   not null,
  service   text   not null,
  kind      text   not null,
  calls     bigint not null,
  failures  bigint not null,
  units_in  bigint not null,
  units_out bigint not null,
  cost_microdollars bigint,
  unpriced_calls bigint not null,
  primary key (day, service, kind)
);

-- The last batch of usage that each process wrote: a batch whose answer was lost is sent again, and must not count twice.
create table bellhand.usage_writers (
  writer uuid        primary key,
  batch  bigint      not null,
  at     timestamptz not null
);

-- Answers that may be used again for a while; nothing is lost if the table is emptied.
create table bellhand.service_cache (
  service    text        not null,
  key        bytea       not null,
  answer     text        not null,
  fetched_at timestamptz not null,
  primary key (service, key)
);
create index service_cache_age on bellhand.service_cache (fetched_at);

select bellhand.allow('worker', 'select, insert, update, delete on bellhand.services, bellhand.usage, bellhand.usage_days, bellhand.usage_writers, bellhand.service_cache');
select bellhand.allow('reader', 'select on bellhand.usage');
