-- What is known of jobs that are gone: those that somebody purged one by one, those of days that retention dropped all together.

-- A job that was purged: what it was, and who purged it. Nothing of its payload, its result or its errors.
create table bellhand.tombstones (
  job         bigint      not null,
  key         uuid        not null,
  kind        text        not null,
  state       text        not null,
  partial     boolean     not null,
  created_at  timestamptz not null,
  finished_at timestamptz not null,
  purged_at   timestamptz not null default bellhand.now(),
  purged_by   text        not null default coalesce(nullif(current_setting('bellhand.actor', true), ''), session_user),
  reason      text        check (length(reason) <= 500),
  primary key (job, key)
);
create index tombstones_age on bellhand.tombstones (purged_at);   -- for forgetting them with the log

-- A day of history that retention dropped, not its jobs one by one: an id between these two may have been among them.
create table bellhand.dropped_days (
  day       date        primary key,
  first     bigint      not null,
  last      bigint      not null,
  jobs      bigint      not null,
  kept_days integer     not null,
  at        timestamptz not null default bellhand.now()
);

select bellhand.allow('worker', 'select, insert, update, delete on bellhand.tombstones, bellhand.dropped_days');
