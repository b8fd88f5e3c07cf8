-- Customers, what is written to them and about what: promotions, opportunities, reviews; who must not be written to; and the ledger of mails.
create schema bellhand_crm;

-- How everybody is written to; one row, and whoever begins a mail locks it, so that the limits hold over all daemons.
create table bellhand_crm.policy (
  single boolean primary key default true check (single),
  unsubscribe_url text check (unsubscribe_url ~ '^https://[!-~]+$' and unsubscribe_url like '%{token}%' and char_length(unsubscribe_url) <= 500),
  postal_address text check (char_length(postal_address) <= 500),
  quiet_from time not null default '21:00',
  quiet_until time not null default '08:00',
  mails_per_hour_max integer not null default 1000 check (mails_per_hour_max > 0),
  promotional_per_day_max integer not null default 2 check (promotional_per_day_max > 0)
);
insert into bellhand_crm.policy default values;
comment on column bellhand_crm.policy.unsubscribe_url is
  'Where a POST unsubscribes (RFC 8058), with {token} in it; what is there calls bellhand_crm.unsubscribe(token). Promotional mail waits for it.';
comment on column bellhand_crm.policy.quiet_from is 'By the clock of the customer; the same as quiet_until: no hour is quiet.';
comment on column bellhand_crm.policy.promotional_per_day_max is 'To one address, in any 24 hours.';

create table bellhand_crm.customers (
  id text primary key default gen_random_uuid()::text check (char_length(id) between 1 and 200),
  name text check (char_length(name) <= 200),
  email text check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' and char_length(email) <= 254),
  tier text not null default 'standard' check (tier in ('standard', 'premium', 'vip')),
  -- Fails, and names the zone, where there is no such zone.
  time_zone text not null default 'UTC' check (timezone(time_zone, timestamptz '1970-01-01Z') is not null),
  consent boolean not null default false,
  unsubscribe_token uuid not null unique default gen_random_uuid(),
  deleted_at timestamptz,
  created_at timestamptz not null default bellhand.now()
);
comment on column bellhand_crm.customers.consent is 'Agreed to promotional mail.';
comment on column bellhand_crm.customers.deleted_at is 'Since when nothing is done for the customer any more.';

-- Who was deleted and not yet erased (erase_customers).
create index customers_erasable on bellhand_crm.customers (deleted_at) where name is not null or email is not null;

create table bellhand_crm.promotions (
  id text primary key default gen_random_uuid()::text check (char_length(id) between 1 and 200),
  subject text not null check (char_length(subject) between 1 and 200),
  body text not null check (char_length(body) between 1 and 20000),
  url text check (url ~ '^https?://[!-~]+$' and char_length(url) <= 2000),
  starts_at timestamptz,
  ends_at timestamptz,
  created_at timestamptz not null default bellhand.now()
);
comment on column bellhand_crm.promotions.body is 'Plain text, paragraphs with an empty line between; {{ customer.name }} and the like stand for what is known.';

create table bellhand_crm.opportunities (
  id text primary key default gen_random_uuid()::text check (char_length(id) between 1 and 200),
  customer_id text not null references bellhand_crm.customers,
  title text not null check (char_length(title) between 1 and 200),
  offer text not null check (char_length(offer) between 1 and 20000),
  url text check (url ~ '^https?://[!-~]+$' and char_length(url) <= 2000),
  status text not null default 'new' check (status in ('new', 'qualified', 'proposal', 'won', 'lost')),
  estimated_value numeric not null default 0 check (estimated_value >= 0 and estimated_value < 'infinity'),
  urgency text not null default 'medium' check (urgency in ('low', 'medium', 'high', 'critical')),
  created_at timestamptz not null default bellhand.now()
);
-- What the scan walks: the open ones, the most valuable first (enqueue_offers).
create index opportunities_open on bellhand_crm.opportunities (estimated_value desc, id) where status in ('new', 'qualified', 'proposal');
create index opportunities_customer on bellhand_crm.opportunities (customer_id);

create table bellhand_crm.reviews (
  id text primary key default gen_random_uuid()::text check (char_length(id) between 1 and 200),
  customer_id text not null references bellhand_crm.customers,
  about text not null check (char_length(about) between 1 and 200),
  url text not null check (url ~ '^https?://[!-~]+$' and char_length(url) <= 2000),
  rating smallint check (rating between 1 and 5),
  reviewed_at timestamptz,
  created_at timestamptz not null default bellhand.now()
);
create index reviews_customer on bellhand_crm.reviews (customer_id);

create table bellhand_crm.suppressions (
  address text not null check (address = lower(address)),
  scope text not null check (scope in ('all', 'promotional')),
  reason text not null check (char_length(reason) <= 500),
  created_at timestamptz not null default bellhand.now(),
  primary key (address, scope)
);

create table bellhand_crm.messages (
  id bigint generated always as identity primary key,
  customer_id text not null references bellhand_crm.customers,
  purpose text not null check (purpose in ('promotion', 'review_request', 'offer', 'reminder', 'notification')),
  key text not null check (char_length(key) <= 300),
  message_key uuid not null generated always as (md5(purpose || ' ' || char_length(customer_id) || ' ' || customer_id || ' ' || key)::uuid) stored,
  promotional boolean not null,
  address text not null,
  subject text not null,
  state text not null default 'sending' check (state in ('sending', 'sent', 'deferred', 'bounced', 'unsure')),
  said text,
  job_id bigint not null,
  attempt uuid,
  begun_at timestamptz not null default bellhand.now(),
  settled_at timestamptz,
  unique (customer_id, purpose, key)
);
comment on table bellhand_crm.messages is 'The ledger: one row a mail, written before it is sent.';
comment on column bellhand_crm.messages.message_key is 'Becomes the Message-ID, the same at every attempt.';
comment on column bellhand_crm.messages.state is
  'sending: handed to the server now; deferred: not taken, to be tried again; bounced: refused for good; unsure: a daemon or the connection '
  'died before the answer came, so it may have gone out, and is not sent again by itself.';
comment on column bellhand_crm.messages.attempt is 'Of the job, that began it last.';
comment on column bellhand_crm.messages.said is 'What the mail server answered, or why it could not.';
-- How many went out in the last hour, and to one address in the last day (begin_message).
create index messages_begun on bellhand_crm.messages (begun_at);
-- What still holds words and addresses, the oldest first (erase_messages).
create index messages_erasable on bellhand_crm.messages (begun_at) where address <> '';
create index messages_address on bellhand_crm.messages (lower(address), begun_at) where promotional;

select bellhand.allow(who, 'usage on schema bellhand_crm') from unnest(array['producer', 'reader', 'worker']) who;
select bellhand.allow('producer', right_ || ' (id, name, email, tier, time_zone, consent, deleted_at) on bellhand_crm.customers')
  from unnest(array['insert', 'update', 'select']) right_;
select bellhand.allow('producer', right_ || ' (id, subject, body, url, starts_at, ends_at) on bellhand_crm.promotions')
  from unnest(array['insert', 'update', 'select']) right_;
select bellhand.allow('producer', right_ || ' (id, customer_id, title, offer, url, status, estimated_value, urgency) on bellhand_crm.opportunities')
  from unnest(array['insert', 'update', 'select']) right_;
select bellhand.allow('producer', right_ || ' (id, customer_id, about, url, rating, reviewed_at) on bellhand_crm.reviews')
  from unnest(array['insert', 'update', 'select']) right_;
select bellhand.allow('producer', 'select, insert (address, scope, reason) on bellhand_crm.suppressions');
select bellhand.allow('producer', 'select on bellhand_crm.messages');
select bellhand.allow('reader', 'select on ' || name) from unnest(array['bellhand_crm.policy', 'bellhand_crm.promotions',
  'bellhand_crm.opportunities', 'bellhand_crm.reviews', 'bellhand_crm.suppressions', 'bellhand_crm.messages']) name;
-- Without the token, which unsubscribes whoever has it.
select bellhand.allow('reader', 'select (id, name, email, tier, time_zone, consent, deleted_at, created_at) on bellhand_crm.customers');
select bellhand.allow('worker', 'select, insert, update, delete on all tables in schema bellhand_crm');
select bellhand.allow('worker', 'usage, select on all sequences in schema bellhand_crm');
