-- Where customers come from: sources to page through, the passes over them, what a source said last of whom, and the rows that were no good.
create table bellhand_crm.sources (
  name text primary key check (name ~ '^[a-z0-9_.-]{1,50}$'),
  url text not null check (url ~ '^https?://[!-~]+$' and char_length(url) <= 2000),
  token text check (token ~ '^[!-~]+$' and char_length(token) <= 2000),
  rows_at text not null default 'data' check (char_length(rows_at) <= 200),
  paging text not null default 'cursor' check (paging in ('none', 'cursor', 'page')),
  cursor_at text not null default 'next_cursor' check (char_length(cursor_at) between 1 and 200),
  cursor_parameter text not null default 'cursor' check (char_length(cursor_parameter) between 1 and 100),
  page_parameter text not null default 'page' check (char_length(page_parameter) between 1 and 100),
  page_first integer not null default 1 check (page_first in (0, 1)),
  size_parameter text check (char_length(size_parameter) between 1 and 100),
  page_rows integer check (page_rows between 1 and 10000),
  pages_max integer not null default 10000 check (pages_max between 1 and 1000000),
  id_prefix text not null default '' check (char_length(id_prefix) <= 50),
  fields jsonb not null check (fields ? 'id' and fields - array['id', 'name', 'email', 'tier', 'time_zone', 'consent'] = '{}'
    and not jsonb_path_exists(fields, '$.* ? (@.type() != "string")')),
  local_fields text[] not null default '{}' check (local_fields <@ array['name', 'email', 'tier', 'time_zone', 'consent']),
  deletes boolean not null default true,
  delete_share_max real not null default 0.5 check (delete_share_max between 0 and 1),
  created_at timestamptz not null default bellhand.now(),
  check ((size_parameter is null) or page_rows is not null),
  constraint a_token_goes_encrypted_or_stays_inside check (token is null
    or url ~* '^(https://|http://(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)\d)')
);
comment on column bellhand_crm.sources.token is 'Sent as Authorization: Bearer. Only the daemon may read it.';
comment on column bellhand_crm.sources.rows_at is 'Where the rows are in an answer, such as result.customers; empty: the answer is the list.';
comment on column bellhand_crm.sources.fields is 'Which of our columns is where in a row: {"id": "id", "email": "contact.email"}.';
comment on column bellhand_crm.sources.id_prefix is 'Goes before the source''s ids to make ours, where two sources could use the same.';
comment on column bellhand_crm.sources.local_fields is 'Columns in which what was changed here beats what the source says.';
comment on column bellhand_crm.sources.deletes is 'Whether customers that a complete pass did not see are deleted (deleted_at).';
comment on column bellhand_crm.sources.delete_share_max is 'A pass that would delete a larger share of the source''s customers deletes none and fails.';

create table bellhand_crm.syncs (
  id bigint generated always as identity primary key,
  source text not null references bellhand_crm.sources on update cascade on delete cascade,
  job_id bigint not null,
  state text not null default 'running' check (state in ('running', 'completed', 'failed')),
  pages integer not null default 0,
  cursor text,
  read_all boolean not null default false,
  created integer not null default 0,
  updated integer not null default 0,
  unchanged integer not null default 0,
  repeated integer not null default 0,
  bad integer not null default 0,
  nameless integer not null default 0,
  deleted integer not null default 0,
  error text,
  begun_at timestamptz not null default bellhand.now(),
  ended_at timestamptz
);
comment on table bellhand_crm.syncs is 'One row a pass over a source: how far it is, and what came of it.';
comment on column bellhand_crm.syncs.cursor is 'What asks for the next page.';
comment on column bellhand_crm.syncs.nameless is 'Bad rows without a readable id: since nobody knows whose they are, the pass deletes nobody.';
-- The passes of a source (erase_syncs).
create index syncs_source on bellhand_crm.syncs (source, id);
-- One pass over a source at a time.
create unique index syncs_running on bellhand_crm.syncs (source) where state = 'running';

-- Cursors of passes that run: one that comes again is a circle.
create table bellhand_crm.sync_cursors (
  sync_id bigint not null references bellhand_crm.syncs on delete cascade,
  digest bytea not null,
  page integer not null,
  primary key (sync_id, digest)
);

create table bellhand_crm.sync_problems (
  sync_id bigint not null references bellhand_crm.syncs on delete cascade,
  page integer not null,
  position integer not null,
  external_id text,
  reason text not null,
  primary key (sync_id, page, position)
);
comment on table bellhand_crm.sync_problems is 'Rows that were left out and why, at most 10,000 a pass.';

create table bellhand_crm.synced_customers (
  source text not null references bellhand_crm.sources on update cascade on delete cascade,
  external_id text not null,
  customer_id text not null unique references bellhand_crm.customers,
  said jsonb not null,
  seen_in bigint not null,
  gone_at timestamptz,
  primary key (source, external_id)
);
comment on column bellhand_crm.synced_customers.said is 'What the source said last; what differs from it in customers was changed here.';
comment on column bellhand_crm.synced_customers.gone_at is 'Since when the source has the customer no more; one that comes back is no longer deleted.';

select bellhand.allow('producer', right_ || ' (name, url, rows_at, paging, cursor_at, cursor_parameter, page_parameter, page_first, size_parameter, '
  'page_rows, pages_max, id_prefix, fields, local_fields, deletes, delete_share_max) on bellhand_crm.sources')
  from unnest(array['insert', 'update', 'select']) right_;
select bellhand.allow('producer', right_ || ' (token) on bellhand_crm.sources') from unnest(array['insert', 'update']) right_;
select bellhand.allow('reader', 'select (name, url, rows_at, paging, cursor_at, cursor_parameter, page_parameter, page_first, size_parameter, '
  'page_rows, pages_max, id_prefix, fields, local_fields, deletes, delete_share_max, created_at) on bellhand_crm.sources');
select bellhand.allow(who, 'select on ' || name) from unnest(array['producer', 'reader']) who,
  unnest(array['bellhand_crm.syncs', 'bellhand_crm.sync_problems', 'bellhand_crm.synced_customers']) name;
select bellhand.allow('worker', 'select, insert, update, delete on ' || name) from unnest(array['bellhand_crm.sources', 'bellhand_crm.syncs',
  'bellhand_crm.sync_cursors', 'bellhand_crm.sync_problems', 'bellhand_crm.synced_customers']) name;
