-- What is known beyond the state of things: how long kinds take, how well that was foretold, what fails alike, and what many
-- jobs were told at once. Nothing here is written by a claim or a settle: one daemon at a time learns it (see learn.sql).

-- A kind may name a function of ours (jsonb -> jsonb) that says what a payload will take; quote.sql asks it.
alter table bellhand.kinds add column estimate text check (estimate ~ '^bellhand[a-z_]*\.[a-z_]+$');

-- Who looked when: the row's lock makes one daemon at a time do a chore, `at` keeps the others from doing it again at once.
create table bellhand.looks (
  name text        primary key,
  at   timestamptz not null default '-infinity',
  upto timestamptz not null default '-infinity'    -- how far a chore has come that goes through something
);
insert into bellhand.looks (name) values ('runs'), ('score'), ('failures'), ('stats');

-- How long runs of a kind take, in seconds, from a sample of those that completed. A step is '' for the whole run, '*' for
-- the run's share of one step or item, else the name of a step that nearly all its jobs have.
create table bellhand.run_times (
  kind        text        not null,
  step        text        not null,
  samples     integer     not null,
  mean        float8      not null,
  deviation   float8      not null,
  quantiles   float8[]    not null,     -- 41: the least, 2.5 %, 5 % ... the most
  parts       float8,                   -- of '*': how many steps or items a job has (the median)
  unevenness  float8,                   -- of '*': deviation over mean among the steps of one job
  since       timestamptz not null,     -- the oldest run of the sample
  measured_at timestamptz not null default bellhand.now(),
  primary key (kind, step)
);

-- What is known of the near future of a lane, the same for all that wait in it (lane_outlook.sql fills it, start_wait.sql reads it).
create type bellhand.outlook as (
  lane          smallint,
  reason        text,                     -- why nothing can be said of it; the rest is null then
  slots         integer,
  running       integer,
  lefts         float8[],                 -- how many seconds each of those that run still needs, the shortest first
  left_seconds  float8,                   -- their sum
  left_variance float8,
  seconds       float8[],                 -- of the first 200 that wait: what the first n take by what was measured, for each n,
  variances     float8[],                 -- with the sums of their variances,
  squares       float8[],                 -- of their mean squares,
  measured      bigint[],                 -- and how many of them are of a kind that was measured
  ended         bigint,                   -- attempts that ended in five minutes, where the lane has had a backlog for longer
  rate          float8,                   -- starts a second, and how many may start at once
  tokens        float8
);

-- What was foretold of some jobs that are not over yet: those that somebody asked about, and a sample. Judged and deleted once
-- they are.
create table bellhand.eta_predictions (
  id            bigint      generated always as identity primary key,
  job           bigint      not null,
  epoch         integer     not null,
  kind          text        not null,
  at            timestamptz not null default bellhand.now(),
  starts_low    timestamptz,              -- null: it ran already, or nothing could be said
  starts_at     timestamptz,
  starts_high   timestamptz,
  finishes_low  timestamptz,
  finishes_at   timestamptz,
  finishes_high timestamptz,
  started_at    timestamptz               -- when it did start, noted while it runs
);
create index eta_predictions_job on bellhand.eta_predictions (job);

-- How well that was, by day (UTC).
create table bellhand.eta_scores (
  day       date    not null,
  kind      text    not null,
  what      text    not null check (what in ('start', 'finish')),
  judged    bigint  not null,
  held      bigint  not null,             -- it happened within the band
  early     bigint  not null,             -- before it; what is left of `judged` came after it
  error_sum float8  not null,             -- how far off, as a part of the time from the prediction to what happened
  primary key (day, kind, what)
);

-- Failures that have one cause, as far as their errors tell: the same kind, class of error and message, less what varies.
create table bellhand.failures (
  fingerprint text        primary key,
  kind        text        not null,
  error_class text        not null,
  message     text        not null,       -- with <n>, <url> and so on in place of what varies
  example     text        not null,       -- the end of one error as it was
  jobs        bigint      not null,       -- how many ended so
  first_at    timestamptz not null,
  last_at     timestamptz not null,
  muted_until timestamptz,
  muted_by    text,
  muted_reason text
);
create index failures_last on bellhand.failures (last_at);
-- Which jobs; each as often as it ended so.
create table bellhand.failure_jobs (
  job         bigint      not null,
  finished_at timestamptz not null,
  fingerprint text        not null,
  primary key (job, finished_at)
);
create index failure_jobs_group on bellhand.failure_jobs (fingerprint, finished_at);
create table bellhand.failure_hours (
  fingerprint text        not null references bellhand.failures on delete cascade,
  hour        timestamptz not null,
  jobs        bigint      not null,
  primary key (fingerprint, hour)
);
-- Workers as they were: history knows them by their id, and their own row goes with them.
create table bellhand.workers_seen (
  id         uuid        primary key,
  name       text        not null,
  host       text        not null,
  version    text        not null,
  code       text,                        -- digest of its handlers' sources
  started_at timestamptz not null,
  seen_at    timestamptz not null default bellhand.now()
);

-- How many jobs were asked for while a live one had their unique key: a sequence, so that counting locks nothing and waits for nobody.
create sequence bellhand.duplicates;

-- What many jobs were told at once, by whom and why.
create table bellhand.operations (
  id         bigint      generated always as identity primary key,
  at         timestamptz not null default bellhand.now(),
  actor      text        not null default coalesce(nullif(current_setting('bellhand.actor', true), ''), session_user),
  action     text        not null check (action in ('cancel', 'pause', 'resume', 'retry', 'run_now', 'reprioritize')),
  filter     jsonb       not null,
  arguments  jsonb       not null default '{}',
  reason     text        check (length(reason) <= 500),
  jobs       bigint      not null default 0,
  undo_until timestamptz not null,
  undone_at  timestamptz,
  undone_by  text,
  undone     bigint                       -- how many of them
);
-- To whom, and how each was before: what undo() goes by. A job whose epoch has moved on was touched by something else since.
create table bellhand.operation_jobs (
  operation bigint  not null references bellhand.operations on delete cascade,
  job       bigint  not null,
  epoch     integer not null,             -- after the operation
  was       jsonb   not null,
  undone    boolean not null default false,
  primary key (operation, job)
);

-- When the code that runs jobs changed: a daemon that comes with another version or other handlers than the last one that served the same
-- kinds writes a row, and people and their scripts may. Charts and failures are read beside them.
create table bellhand.deploys (
  id      bigint      generated always as identity primary key,
  at      timestamptz not null default bellhand.now(),
  version text        not null check (length(version) between 1 and 100),
  code    text,                           -- digest of the handlers' sources; null: told by somebody
  serves  text,                           -- digest of the kinds that the daemon runs: daemons of other kinds are deployed apart
  note    text        check (length(note) <= 500),
  actor   text        not null default coalesce(nullif(current_setting('bellhand.actor', true), ''), session_user)
);
create index deploys_at on bellhand.deploys (at);   -- for the deploys of an hour, and the last one before a failure
alter table bellhand.workers add column code text;  -- the same digest; null until the daemon has read its sources

select bellhand.allow('worker', 'select, insert, update, delete on bellhand.deploys');
select bellhand.allow('reader', 'select on bellhand.deploys');
select bellhand.allow('worker', 'usage on sequence bellhand.deploys_id_seq');
select bellhand.allow('worker', 'select, insert, update, delete on bellhand.looks, bellhand.run_times, bellhand.eta_predictions, '
  || 'bellhand.eta_scores, bellhand.failures, bellhand.failure_jobs, bellhand.failure_hours, bellhand.workers_seen, bellhand.operations, '
  || 'bellhand.operation_jobs');
select bellhand.allow('worker', 'usage on sequence bellhand.eta_predictions_id_seq, bellhand.operations_id_seq');
