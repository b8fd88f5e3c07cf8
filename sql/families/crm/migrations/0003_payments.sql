-- Payments of customers: what was asked for, the keys that make it one payment, how far it is, and everything that happened to it.
alter table bellhand_crm.customers
  add column payment_customer text check (char_length(payment_customer) between 1 and 200),
  add column payment_method text check (char_length(payment_method) between 1 and 200);
comment on column bellhand_crm.customers.payment_customer is 'Whom Stripe knows the customer as, such as cus_...';
comment on column bellhand_crm.customers.payment_method is 'What is charged where a job names nothing else, such as pm_...';

create table bellhand_crm.payments (
  id bigint generated always as identity primary key,
  key text not null unique check (char_length(key) between 1 and 200),
  customer_id text not null references bellhand_crm.customers,
  amount bigint not null check (amount between 1 and 99999999999),
  currency text not null check (currency ~ '^[a-z]{3}$'),
  payment_customer text,
  payment_method text not null,
  return_url text check (return_url ~ '^https?://[!-~]+$' and char_length(return_url) <= 2000),
  description text check (char_length(description) <= 500),
  state text not null default 'new'
    check (state in ('new', 'confirming', 'action', 'processing', 'succeeded', 'declined', 'failed', 'canceled')),
  live boolean,
  intent_id text unique,
  idempotency_key uuid not null,
  tries integer not null default 1,
  action_url text,
  error_code text,
  decline_code text,
  said text,
  job_id bigint not null,
  begun_at timestamptz not null default bellhand.now(),
  action_at timestamptz,
  settled_at timestamptz
);
comment on table bellhand_crm.payments is 'One row a payment, written before Stripe hears of it.';
comment on column bellhand_crm.payments.key is 'What is paid, such as an invoice: there is one payment for it, whatever jobs ask.';
comment on column bellhand_crm.payments.amount is 'In the smallest unit of the currency: 1099 usd are 10.99 dollars, 1099 jpy are 1099 yen.';
comment on column bellhand_crm.payments.state is
  'new: Stripe may not know of it yet; confirming: Stripe knows of it and may be charging; action: the customer has to visit action_url; '
  'processing: the bank takes its time; declined: by the bank; failed: refused by Stripe; canceled: called off, nothing was charged.';
comment on column bellhand_crm.payments.return_url is 'Where the customer comes back to after confirming; without it nobody can be asked, and the bank may decline.';
comment on column bellhand_crm.payments.live is 'Real money; false in test mode.';
comment on column bellhand_crm.payments.idempotency_key is 'Each request''s own key comes from it and from tries.';
comment on column bellhand_crm.payments.tries is 'How many times it was begun: with another payment method after a decline, or after an answer that Stripe keeps repeating.';
comment on column bellhand_crm.payments.said is 'Why it is not paid, in words for people.';
-- The payments of one customer.
create index payments_customer on bellhand_crm.payments (customer_id, begun_at);

create table bellhand_crm.refunds (
  id bigint generated always as identity primary key,
  payment_id bigint not null references bellhand_crm.payments,
  key text not null unique check (char_length(key) between 1 and 200),
  amount bigint not null check (amount > 0),
  state text not null default 'new' check (state in ('new', 'pending', 'succeeded', 'failed')),
  refund_id text unique,
  idempotency_key uuid not null,
  tries integer not null default 1,
  said text,
  job_id bigint not null,
  begun_at timestamptz not null default bellhand.now(),
  settled_at timestamptz
);
comment on table bellhand_crm.refunds is 'One row a refund, written before Stripe hears of it.';
comment on column bellhand_crm.refunds.key is 'There is one refund for it, whatever jobs ask.';
comment on column bellhand_crm.refunds.state is
  'new: Stripe may not know of it yet; pending: on its way, what becomes of it is not read back; failed: refused by Stripe.';
-- What of a payment is given back (begin_refund).
create index refunds_payment on bellhand_crm.refunds (payment_id);

create table bellhand_crm.payment_events (
  id bigint generated always as identity primary key,
  payment_id bigint not null references bellhand_crm.payments on delete cascade,
  at timestamptz not null default bellhand.now(),
  state text not null,
  tries integer not null,
  intent_id text,
  said text,
  job_id bigint not null
);
comment on table bellhand_crm.payment_events is 'Each change of a payment, written by a trigger.';
create index payment_events_payment on bellhand_crm.payment_events (payment_id);

select bellhand.allow('producer', right_ || ' (payment_customer, payment_method) on bellhand_crm.customers')
  from unnest(array['insert', 'update', 'select']) right_;
select bellhand.allow('producer', 'select on ' || name) from unnest(array['bellhand_crm.payments', 'bellhand_crm.payment_events', 'bellhand_crm.refunds']) name;
-- Without action_url, which confirms a payment, and without what names a card.
select bellhand.allow('reader', 'select (id, key, customer_id, amount, currency, description, state, live, intent_id, tries, error_code, '
  'decline_code, said, job_id, begun_at, action_at, settled_at) on bellhand_crm.payments');
select bellhand.allow('reader', 'select on ' || name) from unnest(array['bellhand_crm.payment_events', 'bellhand_crm.refunds']) name;
select bellhand.allow('worker', 'select, insert, update, delete on ' || name)
  from unnest(array['bellhand_crm.payments', 'bellhand_crm.payment_events', 'bellhand_crm.refunds']) name;
