-- What customers bought, and the figures that are made of it: by customer and month, by customer, by cohort and month; and the reports.
alter table bellhand_crm.policy add column months_time_zone text not null default 'UTC'
  check (timezone(months_time_zone, timestamptz '1970-01-01Z') is not null);
alter table bellhand_crm.policy add column currency text check (currency ~ '^[A-Z]{3}$');
comment on column bellhand_crm.policy.currency is 'Of the amounts of orders and opportunities, as reports show it.';
comment on column bellhand_crm.policy.months_time_zone is 'By whose clock a purchase belongs to a month; the next crm.update_analytics counts anew.';

create table bellhand_crm.orders (
  id text primary key default gen_random_uuid()::text check (char_length(id) between 1 and 200),
  customer_id text not null references bellhand_crm.customers,
  ordered_at timestamptz not null default bellhand.now() check (isfinite(ordered_at)),
  amount numeric not null check (amount >= 0 and amount < 'infinity'),
  quantity integer not null default 1 check (quantity >= 0),
  created_at timestamptz not null default bellhand.now()
);
comment on column bellhand_crm.orders.amount is 'In the one currency that the figures are in; what was refunded is taken off, or the row deleted.';
-- Everything that a customer bought, when they are counted anew (roll_up).
create index orders_customer on bellhand_crm.orders (customer_id);

-- Whose orders changed since they were last counted: a row a statement and customer (orders_changed). Rows are only appended, so that two
-- transactions about one customer never wait for each other, and taken out by whoever counts: what is not committed yet is not seen, so not
-- taken, however late it commits. No time and no transaction number has to be compared.
create table bellhand_crm.order_changes (customer_id text not null);
create index order_changes_customer on bellhand_crm.order_changes (customer_id);

-- Each of the next three is made of the one before it, the first of orders. They refer to no customer: who is in them follows from orders alone.
create table bellhand_crm.customer_months (
  customer_id text not null,
  month date not null,
  orders bigint not null,
  amount numeric not null,
  quantity bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  primary key (customer_id, month)
);
create table bellhand_crm.customer_figures (
  customer_id text primary key,
  cohort date not null,
  orders bigint not null,
  amount numeric not null,
  quantity bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  recency smallint check (recency between 1 and 5),
  frequency smallint check (frequency between 1 and 5),
  monetary smallint check (monetary between 1 and 5),
  segment text,
  expected_amount numeric
);
comment on column bellhand_crm.customer_figures.cohort is 'The month of the first purchase.';
comment on column bellhand_crm.customer_figures.amount is 'Of all orders: the lifetime value so far.';
comment on column bellhand_crm.customer_figures.recency is
  'Its fifth among all customers, 5 the latest; who is equal is in the same fifth. Null until ranked, and for deleted customers. Frequency and monetary alike.';
comment on column bellhand_crm.customer_figures.expected_amount is 'In the next 26 weeks, by the model of lifetime.py; null: not known.';
create table bellhand_crm.cohort_months (
  cohort date not null,
  month date not null,
  customers bigint not null,
  orders bigint not null,
  amount numeric not null,
  quantity bigint not null,
  primary key (cohort, month)
);
comment on column bellhand_crm.cohort_months.customers is 'Of the cohort, who bought something in that month.';

-- One row, which whoever counts locks.
create table bellhand_crm.analytics (
  single boolean primary key default true check (single),
  months_time_zone text,
  updated_at timestamptz,
  expected_at timestamptz
);
insert into bellhand_crm.analytics default values;
comment on column bellhand_crm.analytics.expected_at is 'As of when expected_amount was told last.';
comment on column bellhand_crm.analytics.months_time_zone is 'That of the figures; null: there are none yet.';

-- In the database, not in a folder, as reports of the seo family are and for the same reasons; in parts, so that who reads one never holds it whole.
create table bellhand_crm.reports (
  id bigint generated always as identity primary key,
  job_id bigint not null,
  format text not null check (format in ('html', 'pdf', 'xlsx')),
  body_bytes bigint not null,
  created_at timestamptz not null default bellhand.now(),
  unique (job_id, format)
);
create table bellhand_crm.report_parts (
  report_id bigint not null references bellhand_crm.reports on delete cascade,
  place integer not null,
  body bytea not null check (octet_length(body) <= 1048576),
  primary key (report_id, place)
);

select bellhand.allow('producer', right_ || ' (id, customer_id, ordered_at, amount, quantity) on bellhand_crm.orders')
  from unnest(array['insert', 'update', 'select']) right_;
select bellhand.allow('producer', 'delete on bellhand_crm.orders');
select bellhand.allow('reader', 'select on ' || name) from unnest(array['bellhand_crm.orders', 'bellhand_crm.customer_months',
  'bellhand_crm.customer_figures', 'bellhand_crm.cohort_months', 'bellhand_crm.analytics', 'bellhand_crm.reports', 'bellhand_crm.report_parts']) name;
select bellhand.allow('worker', 'select, insert, update, delete on bellhand_crm.orders, bellhand_crm.order_changes, bellhand_crm.customer_months, '
  || 'bellhand_crm.customer_figures, bellhand_crm.cohort_months, bellhand_crm.analytics, bellhand_crm.reports, bellhand_crm.report_parts');
select bellhand.allow('worker', 'usage, select on all sequences in schema bellhand_crm');
