-- Writes the leads $1 (rows as business.py has them) that job $2 found, and their keys; guarded by lock_leads.
with given as (
  select * from jsonb_to_recordset($1::jsonb) g(
    id bigint, name text, phone text, phone_shown text, website text, domain text, listing text, address text, country text,
    category text, rating float8, reviews integer, latitude float8, longitude float8, place_id text, excluded boolean,
    exclusion bigint, keys text[])
), saved as (
  insert into bellhand_leads.leads as l (id, name, phone, phone_shown, website, domain, listing, address, country, category, rating,
      reviews, latitude, longitude, place_id, excluded, exclusion, found_by)
    select id, name, phone, phone_shown, website, domain, listing, address, country, category, rating, reviews, latitude, longitude,
           place_id, excluded, exclusion, $2 from given order by id
    on conflict (id) do update
      set name = excluded.name, phone = excluded.phone, phone_shown = excluded.phone_shown, website = excluded.website,
          domain = excluded.domain, listing = excluded.listing, address = excluded.address, country = excluded.country,
          category = excluded.category, rating = excluded.rating, reviews = excluded.reviews, latitude = excluded.latitude,
          longitude = excluded.longitude, place_id = excluded.place_id, excluded = excluded.excluded,
          exclusion = excluded.exclusion, last_seen_at = bellhand.now()
)
insert into bellhand_leads.keys (key, lead_id)
  select distinct k.key, g.id from given g cross join unnest(g.keys) k(key)
  on conflict do nothing
