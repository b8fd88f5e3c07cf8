-- The tables, the clock, the checks at the door and the roles.
--
-- One rule shapes all of it: no statement of the hot path may depend on a predicate that the planner could
-- misestimate, and no update may touch an indexed column. So a job's row says what it is, narrow tables say where it
-- stands, and the claim finds work by position. docs/decisions.md has the measurements.

create schema if not exists bellhand;

-- The only clock: real time, unless the session has set bellhand.now (tests freeze and move time with it).
create function bellhand.now() returns timestamptz language sql stable parallel safe
return coalesce(nullif(pg_catalog.current_setting('bellhand.now', true), '')::timestamptz, pg_catalog.statement_timestamp());

-- What one database needs to know about itself; the daemon writes [queue] of its configuration here.
create table bellhand.meta (
  name  text primary key,
  value text not null
);
insert into bellhand.meta (name, value) values
  ('unknown_kinds', 'refuse'),        -- or 'hold': accept a job of an unknown kind and let it wait
  ('payload_bytes_max', '1048576'),
  ('system_identifier', (select system_identifier::text from pg_control_system()));

-- A lane is a stream of jobs with limits of its own. `ranks` are those ever claimed here: a claim needs a position
-- for each of them, or it would read dead index entries.
create table bellhand.lanes (
  id              smallint generated always as identity primary key,
  name            text        not null unique check (name ~ '^[a-z0-9_.:-]{1,100}$'),
  concurrency     integer     check (concurrency > 0),
  rate_per_second double precision check (rate_per_second between 1e-6 and 1e6),   -- what a claim divides by: beyond it overflows
  rate_burst      integer     not null default 1 check (rate_burst > 0),
  tokens          double precision not null default 0,
  tokens_at       timestamptz not null default bellhand.now(),
  ranks           smallint[]  not null default '{}',
  paused          boolean     not null default false,
  paused_reason   text,
  paused_until    timestamptz                      -- when the pause ends by itself; null: when somebody ends it
);
insert into bellhand.lanes (name) values ('default');

-- Slots of a limited lane that a worker holds; their sum never exceeds the limit (taken under the lane's row lock).
create table bellhand.lane_holds (
  lane   smallint not null references bellhand.lanes,
  worker uuid     not null,
  slots  integer  not null check (slots >= 0),
  primary key (lane, worker)
) with (fillfactor = 50);

-- The registry of kinds, published by daemons. `schema` is the JSON Schema of the payload, `checks` the part of it
-- that the insert trigger enforces.
create table bellhand.kinds (
  name            text        primary key check (name ~ '^[a-z0-9_.:-]{1,100}$'),
  lane            smallint    not null references bellhand.lanes,
  priority        smallint    not null default 5 check (priority between 1 and 10),
  attempts_max    smallint    not null default 3 check (attempts_max > 0),
  timeout_seconds real,
  schema          jsonb,
  checks          jsonb,
  summary         text,
  paused          boolean     not null default false,
  paused_reason   text,
  published_at    timestamptz not null default bellhand.now()
);

-- Refuses a priority outside 1 to 10 with a hint; called by a CHECK so that every way in meets it.
create function bellhand.refuse_priority(priority smallint) returns boolean language plpgsql immutable as $$
begin
  raise exception using errcode = 'BH004', message = format('priority %s is outside 1 to 10', priority),
    detail = '10 runs first, 1 last, 5 is the default.',
    hint = 'Give a priority from 1 to 10, or leave it out; bellhand.priority(urgency, tier, value) computes one.';
end $$;

-- Refuses any other value that a column may not hold; called by CHECKs, which could not say why. Volatile, or the planner
-- would call it to see what it returns.
create function bellhand.refuse_value(name text, why text, hint text) returns boolean language plpgsql volatile as $$
begin
  raise exception using errcode = 'BH004', message = format('%s is not accepted', name), detail = why, hint = hint;
end $$;

-- Refuses a payload over payload_bytes_max of bellhand.meta; only asked for payloads of more than 64 kB.
create function bellhand.payload_fits(payload_bytes integer) returns boolean language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
declare
  bytes_max bigint := coalesce((select value::bigint from bellhand.meta where name = 'payload_bytes_max'), 1048576);
begin
  if payload_bytes > bytes_max then
    raise exception using errcode = 'BH003', message = format('payload of %s bytes is larger than %s', payload_bytes, bytes_max),
      detail = 'A job carries what to do, not the data itself.',
      hint = 'Store the data in a table or a bucket and put its id into the payload, or raise payload_bytes_max under [queue].';
  end if;
  return true;
end $$;

-- Every job that is not over: the one table that apps insert into. A claim does not write here: that a job runs is told
-- by a lease that names its (id, epoch), so a job that goes well is written once and deleted once. No index but the
-- primary key and the unique key, neither touched by updates, so these stay on their page (HOT).
create table bellhand.jobs (
  id              bigint      generated always as identity primary key,
  key             uuid        not null,
  kind            text        not null,
  payload         jsonb       not null default '{}',
  priority        smallint    not null default 5,     -- enqueue() gives it the kind's: a default cannot look there
  run_at          timestamptz not null default bellhand.now(),
  attempts_max    smallint,                      -- null: the kind's
  timeout_seconds real,                          -- null: the kind's
  unique_key      text,
  owner           text,
  tags            jsonb,
  depends_on      bigint[],
  depends_policy  text        not null default 'cancel',   -- what a failed parent does: cancel, fail, release
  notify          jsonb,
  source          text        not null default 'sql',
  created_at      timestamptz not null default bellhand.now(),
  state           text        not null default 'pending',
  epoch           integer     not null default 1,          -- up by one whenever it is placed anew, so no two claims have one: the fence
  attempts        smallint    not null default 0,          -- failed and crashed ones so far
  crashes         smallint    not null default 0,
  stop            text,                                    -- asked of a running job: cancel, pause
  worker          uuid,                                    -- of the last attempt that ended, with its start and its error
  started_at      timestamptz,
  error           text,
  progress        jsonb,
  snoozed         boolean,                                 -- the last attempt that ended asked to come later, and did not fail
  constraint known_state      check (state in ('pending', 'blocked', 'paused')),   -- running: pending, and leased
  constraint known_stop       check (stop in ('cancel', 'pause')),
  constraint priority_in_range check (priority between 1 and 10 or bellhand.refuse_priority(priority)),
  -- A value that comes compressed out of another table is as large as it is when it is read.
  constraint payload_size     check ((pg_column_compression(payload) is null and pg_column_size(payload) <= 65536)
    or bellhand.payload_fits(octet_length(payload::text))),
  constraint attempts_positive check (attempts_max > 0),
  constraint timeout_positive check ((timeout_seconds > 0 and timeout_seconds < 'infinity') is not false or bellhand.refuse_value('timeout_seconds',
    'It must be a finite number above 0.', 'Leave it out for the timeout of the kind.')),
  -- What lies outside cannot be subtracted from now, nor read by every client.
  constraint run_at_readable  check (run_at between '0001-01-02 UTC' and '9999-12-30 UTC' or bellhand.refuse_value('run_at',
    'It must lie in the years 1 to 9999.', 'Leave it out to run at once; a job that waits for somebody is paused, or depends_on another.')),
  constraint created_at_readable check (created_at between '0001-01-02 UTC' and '9999-12-30 UTC'),
  constraint kind_length      check (length(kind) <= 100 or bellhand.refuse_value('kind',
    'A kind has at most 100 characters.', 'See the kinds there are: select name from bellhand.kinds')),
  constraint tags_size        check (coalesce(octet_length(tags::text), 0) <= 10000 or bellhand.refuse_value('tags',
    'They have at most 10,000 bytes.', 'Put what is larger into a table, and its id here.')),
  constraint notify_size      check (coalesce(octet_length(notify::text), 0) <= 10000 or bellhand.refuse_value('notify',
    'It has at most 10,000 bytes.', 'Put many to tell behind one channel, and its name here.')),
  constraint depends_on_size  check (coalesce(cardinality(depends_on), 0) <= 1000 or bellhand.refuse_value('depends_on',
    'It has at most 1,000 ids.', 'Let jobs in between wait for 1,000 each, and this one for them.')),
  constraint key_length       check (length(unique_key) <= 500),
  constraint text_lengths     check (length(owner) <= 500 and length(source) <= 100),
  constraint tags_are_an_object check (jsonb_typeof(tags) = 'object'),
  constraint known_policy     check (depends_policy in ('cancel', 'fail', 'release'))
) with (fillfactor = 85);
create unique index jobs_unique_key on bellhand.jobs (kind, unique_key) where unique_key is not null;

-- The UUID that the outside world knows a job by: a version 8 UUID (RFC 9562) of 60 bits of the id and 62 random
-- ones. It is found by the id inside it, so it needs no index, and two jobs that got one id (a failover to an
-- asynchronous replica can do that) still have two keys.
-- Written out here and not as a function of the id: one that reads its argument twice would not be inlined, and cost 2 us.
alter table bellhand.jobs alter column key set default
  (lpad(to_hex((currval('bellhand.jobs_id_seq') >> 12 << 16) | 32768 | (currval('bellhand.jobs_id_seq') & 4095)), 16, '0')
   || right(gen_random_uuid()::text, 17))::uuid;

-- Jobs ready to run. `rank` is 10 - priority; `xid` is the transaction that made the job ready, so that a position
-- once passed can be skipped for ever. Whoever deletes a job's row has the job: a claim, or an operator who takes it
-- out to cancel or pause it (take_out.sql finds it by the unique index, which also forbids a second place).
create table bellhand.queue (
  lane  smallint not null,
  rank  smallint not null,
  epoch integer  not null,
  xid   xid8     not null default pg_current_xact_id(),
  id    bigint   not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_analyze_threshold = 2000000000);
create index queue_position on bellhand.queue (lane, rank, xid, id);
create unique index queue_job on bellhand.queue (id);

-- Jobs whose time has not come: scheduled, retrying, snoozed.
create table bellhand.scheduled (
  run_at timestamptz not null,
  id     bigint      not null,
  epoch  integer     not null,
  lane   smallint    not null,
  rank   smallint    not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_analyze_threshold = 2000000000);
create index scheduled_due on bellhand.scheduled (run_at, id);

-- Ready jobs that nobody may run now: their kind is paused, unknown, or no live worker has a handler for it.
create table bellhand.parked (
  kind   text     not null,
  id     bigint   not null,
  epoch  integer  not null,
  rank   smallint not null,
  reason text     not null
);
create index parked_kind on bellhand.parked (kind, id);

-- One row per live worker; its beat keeps every lease it holds.
create table bellhand.workers (
  id         uuid        primary key,
  name       text        not null,
  host       text        not null,
  pid        integer     not null,
  version    text        not null,
  kinds      text[]      not null,
  lanes      text[]      not null,   -- empty: all
  capacity   integer     not null,
  busy       integer     not null default 0,
  draining   boolean     not null default false,
  suspect    bigint,                    -- the job that runs alone because workers died under it before
  waiting    bigint[]    not null default '{}',   -- others like it, leased and not begun
  generation integer     not null default 0,      -- claims of an older one come too late: see hand_back_unknown
  started_at timestamptz not null default bellhand.now(),
  beat       timestamptz not null default bellhand.now(),
  heard_again_at timestamptz,          -- when it last came back after a lease of silence
  drain_asked_at timestamptz,          -- since when it is to claim nothing more, see drain_worker; null: it may
  drain_reason   text
) with (fillfactor = 50);

-- One row per claimed batch: whose it is, which jobs, at which epochs. A job runs while a lease names it at its epoch.
create table bellhand.leases (
  -- Drawn, not counted: a claim commits asynchronously, and a crash of the server would count an undone one's id anew. Its
  -- worker, which heard of both, would then delete the second with the first, and nobody would hold the jobs of the second.
  id         bigint      primary key default floor(random() * 9007199254740992)::bigint,
  worker     uuid        not null,
  claimed_at timestamptz not null default bellhand.now(),
  ids        bigint[]    not null,
  epochs     integer[]   not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_analyze_threshold = 2000000000);
-- Compressing the arrays costs more than it saves: the row lives for milliseconds.
alter table bellhand.leases alter column ids set storage external, alter column epochs set storage external;
create index leases_worker on bellhand.leases (worker);

-- What runs now: a row for each job of each lease. One that is over or was placed anew is not at this epoch any more.
create view bellhand.running as
  select u.id, u.epoch, l.worker, l.claimed_at from bellhand.leases l cross join unnest(l.ids, l.epochs) u(id, epoch);

-- The state of a job that is not over, as people name it: of its row in jobs, and whether it is among those that run.
create function bellhand.live_state(p_state text, p_runs boolean, p_attempts smallint, p_snoozed boolean, p_run_at timestamptz) returns text
language sql stable parallel safe as $$
  select case when p_state <> 'pending' then p_state when p_runs then 'running' when p_attempts > 0 and p_snoozed is not true then 'retrying'
    when p_run_at > bellhand.now() then 'scheduled' else 'pending' end
$$;

-- Jobs that are over, by day of finishing; retention drops whole days. The default partition is a net for a day
-- that the keeper has not prepared.
create table bellhand.history (
  id bigint not null, key uuid not null, kind text not null, payload jsonb not null, priority smallint not null,
  run_at timestamptz not null, attempts_max smallint, timeout_seconds real, unique_key text, owner text, tags jsonb,
  depends_on bigint[], depends_policy text not null, notify jsonb, source text not null, created_at timestamptz not null,
  state text not null, epoch integer not null, attempts smallint not null, crashes smallint not null,
  worker uuid, started_at timestamptz, progress jsonb, error text,
  partial boolean not null, result jsonb, finished_at timestamptz not null,
  constraint known_state check (state in ('completed', 'failed', 'cancelled'))
) partition by range (finished_at);
create index history_id on bellhand.history (id);
create index history_kind on bellhand.history (kind, finished_at);
create index history_trouble on bellhand.history (finished_at) where state <> 'completed' or partial;
create table bellhand.history_default partition of bellhand.history default;

-- Parts of jobs that are done once: state, result, error, times.
create table bellhand.steps (
  job         bigint      not null,
  name        text        not null,
  position    integer     not null,
  state       text        not null check (state in ('running', 'completed', 'failed')),
  attempts    smallint    not null default 1,
  result      jsonb,
  counters    jsonb,
  error       text,
  for_good    boolean     not null default false,   -- it failed so that no attempt tries it again; a retry by somebody does
  started_at  timestamptz not null default bellhand.now(),
  finished_at timestamptz,
  primary key (job, name)
);

-- Cron: what to enqueue, when, and what to do about ticks that were missed.
create table bellhand.schedules (
  name       text        primary key check (name ~ '^[A-Za-z0-9_.:-]{1,100}$'),
  cron       text        not null,
  timezone   text        not null default 'UTC',
  kind       text        not null,
  payload    jsonb       not null default '{}',
  priority   smallint    not null default 5 check (priority between 1 and 10),
  missed     text        not null default 'latest' check (missed in ('skip', 'latest', 'all')),
  missed_max integer     not null default 10 check (missed_max > 0),
  notify     jsonb,                                  -- as jobs.notify, of each job it enqueues
  paused     boolean     not null default false,
  source     text        not null default 'sql',
  next_at    timestamptz,                            -- null: not yet computed by a daemon
  counted_at timestamptz not null default bellhand.now(), -- when it was; ahead of the clock: that was set back
  again_at   timestamptz,                            -- after an error it is left alone until then, and its tick kept
  last_at    timestamptz,
  last_job   bigint,
  error      text
);

-- Each (schedule, tick) enqueues at most one job ever; written in the transaction that inserts the job.
create table bellhand.schedule_ticks (
  schedule text        not null,
  tick     timestamptz not null,
  job      bigint,
  primary key (schedule, tick)
);

-- A blocked job waits for each of its parents; the xid lets the keeper look once more at those that were written
-- while their parent finished.
create table bellhand.dependencies (
  parent bigint not null,
  child  bigint not null,
  xid    xid8   not null default pg_current_xact_id(),
  primary key (parent, child)
);
create index dependencies_child on bellhand.dependencies (child);
create index dependencies_xid on bellhand.dependencies (xid);

-- What happened to whom, and who did it. Plain successes are not written here one by one.
create table bellhand.events (
  seq    bigint      generated always as identity primary key,
  xid    xid8        not null default pg_current_xact_id(),
  at     timestamptz not null default bellhand.now(),
  type   text        not null,
  job    bigint,
  kind   text,
  actor  text        not null default coalesce(nullif(current_setting('bellhand.actor', true), ''), session_user),
  data   jsonb
);
create index events_job on bellhand.events (job, seq) where job is not null;

-- Per minute, kind, outcome and worker: counts and seconds, so that charts need no scan.
create table bellhand.stats (
  minute       timestamptz      not null,
  kind         text             not null,
  outcome      text             not null,
  worker       uuid             not null,
  jobs         bigint           not null,
  wait_seconds double precision not null,
  run_seconds  double precision not null,
  histogram    integer[]        not null,   -- of run seconds, by the bounds BUCKETS of stats.py
  waits        integer[]        not null default '{}',   -- of wait seconds, by WAITS there; fewer, since all of a lane are summed up
  primary key (minute, kind, outcome, worker)
);

-- Until when (epoch milliseconds) some worker sleeps and wants the bell. A sequence, because it is read outside of
-- transactions: a repeatable-read producer must see a worker that fell asleep after its snapshot.
create unlogged sequence bellhand.asleep_until minvalue 0 start 0;
select setval('bellhand.asleep_until', 0);

-- Roles, where the migrating role may create them: producers insert, readers look, workers run the daemon.
do $$
declare r text;
begin
  foreach r in array array['bellhand_producer', 'bellhand_reader', 'bellhand_worker'] loop
    if not exists (select from pg_roles where rolname = r) then
      begin
        execute format('create role %I nologin', r);
      exception
        when insufficient_privilege then
          raise notice 'role % not created: the migrating role lacks CREATEROLE; grant on schema bellhand by hand where needed', r;
        when duplicate_object or unique_violation then
          null;  -- another database of the cluster was migrated at the same moment
      end;
    end if;
  end loop;
end $$;

-- Grants `what` to role bellhand_<who> where that role exists.
create function bellhand.allow(who text, what text) returns void language plpgsql as $$
begin
  if exists (select from pg_roles where rolname = 'bellhand_' || who) then
    execute format('grant %s to %I', what, 'bellhand_' || who);
  end if;
end $$;
revoke execute on function bellhand.allow(text, text) from public;

select bellhand.allow(who, 'usage on schema bellhand') from unnest(array['producer', 'reader', 'worker']) who;
select bellhand.allow('producer', 'insert (kind, payload, priority, run_at, attempts_max, timeout_seconds, unique_key, owner, '
  || 'tags, depends_on, depends_policy, notify) on bellhand.jobs');
-- RETURNING id and ON CONFLICT (kind, unique_key) need to read these; the default of `key` reads the sequence.
select bellhand.allow('producer', 'select (id, key, kind, unique_key) on bellhand.jobs');
select bellhand.allow('producer', 'select on sequence bellhand.jobs_id_seq');
select bellhand.allow('worker', 'select, insert, update, delete on all tables in schema bellhand');
select bellhand.allow('worker', 'usage, select, update on all sequences in schema bellhand');
select bellhand.allow('reader', 'select on bellhand.lanes, bellhand.kinds, bellhand.workers, bellhand.schedules, bellhand.stats');
