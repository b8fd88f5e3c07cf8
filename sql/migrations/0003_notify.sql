-- Who wants to know how jobs end: channels, standing subscriptions, and what waits to be told in one message.

-- Where notifications go. A channel of the configuration keeps its address and keys there, out of the database.
create table bellhand.channels (
  name            text        primary key check (name ~ '^[A-Za-z0-9_.:-]{1,100}$'),
  kind            text        not null check (kind in ('email', 'slack', 'discord', 'webhook')),
  address         text        check (length(address) <= 2000),    -- null: the daemon's configuration has it
  digest_seconds  integer     not null default 300 check (digest_seconds between 1 and 86400),
  digest_max      integer     not null default 10 check (digest_max between 0 and 1000),   -- messages in digest_seconds; more become one
  source          text        not null default 'sql' check (source in ('sql', 'config')),
  disabled_at     timestamptz,
  disabled_reason text,
  failing_since   timestamptz,                                    -- the first failure after the last success
  failures        integer     not null default 0,                 -- since then
  retry_at        timestamptz,                                    -- until then nobody tries: it failed five times and more
  last_error      text,
  constraint address_is_somewhere check (address is not null or source = 'config')
);

-- What the webhooks of a channel are signed with: the newest, and older ones until they expire.
create table bellhand.channel_secrets (
  channel    text        not null references bellhand.channels on delete cascade,
  secret     text        not null check (secret ~ '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$'),
  made_at    timestamptz not null default bellhand.now(),
  expires_at timestamptz,
  primary key (channel, secret)
);

-- Who wants to know about jobs that he did not insert: by kind (`*` stands for anything) and by how they end.
create table bellhand.subscriptions (
  name         text   primary key check (name ~ '^[A-Za-z0-9_.:-]{1,100}$'),
  channel      text   not null references bellhand.channels on delete cascade,
  states       text[] not null check (cardinality(states) > 0 and states <@ array['completed', 'partial', 'failed', 'cancelled', 'late', 'disabled']),
  kinds        text   not null default '*' check (kinds ~ '^[a-z0-9_.:*-]{1,100}$'),
  late_seconds double precision check (late_seconds > 0 and late_seconds <= 316224000),
  source       text   not null default 'sql' check (source in ('sql', 'config')),
  pattern      text   not null generated always as (replace(replace(kinds, '_', '\_'), '*', '%')) stored,   -- kinds, for LIKE
  constraint late_says_when check (('late' = any (states)) = (late_seconds is not null))
);

-- Jobs that are not over and that somebody asked about: settling looks here, so that jobs nobody asked about cost nothing.
create table bellhand.watched (
  job     bigint      primary key,
  since   timestamptz not null,     -- when it should have run; retries do not move it
  late_at timestamptz               -- when somebody is to be told next that it is late
);
create index watched_late on bellhand.watched (late_at) where late_at is not null;
-- Whether some subscription wants to know when jobs of the kind are late; the insert trigger asks.
alter table bellhand.kinds add column watched boolean not null default false;

-- What people are told, by channel or address. The newest that went out alone are counted; beyond digest_max they wait for one message.
create table bellhand.notices (
  id     bigint      generated always as identity primary key,
  target text        not null,      -- a channel's name, or an address
  at     timestamptz not null default bellhand.now(),
  state  text        not null,      -- how the job ended; `digest` for a digest that went out
  job    bigint,
  kind   text,
  error  text,
  digest bigint                     -- the job whose message tells it; null: none yet, 0: it went out alone
);
create index notices_alone on bellhand.notices (target, at) where digest = 0;
create index notices_waiting on bellhand.notices (target) where digest is null;
create index notices_digest on bellhand.notices (digest) where digest > 0;

select bellhand.allow('worker', 'select, insert, update, delete on bellhand.channels, bellhand.channel_secrets, bellhand.subscriptions, '
  || 'bellhand.watched, bellhand.notices');
select bellhand.allow('reader', 'select on bellhand.subscriptions');
