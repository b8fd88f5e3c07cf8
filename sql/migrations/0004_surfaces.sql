-- What the HTTP surfaces keep: tokens and sessions, and the requests that must not happen twice.

-- Who may ask over HTTP. Only digests: what is in this table opens nothing. A session of a browser has opened_with, the
-- digest of the token it was opened with, and is good no longer than that one.
create table bellhand.tokens (
  id           bigint      generated always as identity primary key,
  digest       bytea       not null unique check (octet_length(digest) = 32),   -- sha-256; the index finds the caller
  name         text        not null check (name ~ '^[A-Za-z0-9_.:-]{1,80}$'),
  scopes       text[]      not null check (cardinality(scopes) > 0 and scopes <@ array['read', 'enqueue', 'operate', 'admin']),
  opened_with  bytea,
  made_at      timestamptz not null default bellhand.now(),
  made_by      text        not null default coalesce(nullif(current_setting('bellhand.actor', true), ''), session_user),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz
);
create unique index tokens_name on bellhand.tokens (name) where revoked_at is null and opened_with is null;

-- Requests that came with an Idempotency-Key, and the jobs that they made: who sends one again gets these.
create table bellhand.idempotency (
  caller      text        not null,
  key         text        not null check (length(key) between 1 and 255),
  fingerprint bytea       not null,                 -- of route and body: another one with the same key is refused
  jobs        jsonb       not null,                 -- [{"id", "key", "created"}]
  at          timestamptz not null default bellhand.now(),
  primary key (caller, key)
);
create index idempotency_age on bellhand.idempotency (at);   -- for forgetting those of yesterday

select bellhand.allow('worker', 'select, insert, update, delete on bellhand.tokens, bellhand.idempotency');

-- Who set the limits of a lane: those of the configuration come back with every start, so nobody else may change them.
alter table bellhand.lanes add column source text not null default 'sql' check (source in ('sql', 'config'));

-- Searches that somebody gave a name, for all who look: the address of a page of the dashboard.
create table bellhand.views (
  name    text        primary key check (length(name) between 1 and 80 and name = btrim(name)),
  path    text        not null check (path ~ '^/[a-z]' and length(path) <= 2000),
  made_at timestamptz not null default bellhand.now(),
  made_by text        not null default coalesce(nullif(current_setting('bellhand.actor', true), ''), session_user)
);
select bellhand.allow('worker', 'select, insert, update, delete on bellhand.views');
