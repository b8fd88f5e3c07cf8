-- How many whole days a certificate has left that expires at this moment, negative once it is over; null for null.
-- For example: select id from bellhand_sites.businesses where bellhand_sites.tls_days_left(website_tls_expires_at) < 14.
create or replace function bellhand_sites.tls_days_left(expires_at timestamptz) returns integer language sql stable
set search_path = pg_catalog, pg_temp as $$
  select floor(extract(epoch from expires_at - bellhand.now()) / 86400)::integer
$$;
