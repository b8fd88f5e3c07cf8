-- The host of an address, with its port; null for none.
create or replace function bellhand_sites.host_of(url text) returns text language sql immutable parallel safe
set search_path = pg_catalog, pg_temp as $$
  select substring(url from '^[a-z]+://([^/?#]+)')
$$;
