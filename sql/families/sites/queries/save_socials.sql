-- Writes the profiles $3 ([{network, handle, url, source_url}], in the site's order) of business $1; profiles the site no
-- longer links to go, but only after a complete reading, $4. Guarded by the website that was read, $2: no row if it changed.
with now_seen as (
  select array(select e ->> 'url' from jsonb_array_elements($3::jsonb) e) as list
), business as (
  update bellhand_sites.businesses
    set socials = list || case when $4 then '{}' else array(select old from unnest(socials) old where old <> all (list)) end,
        socials_checked_at = bellhand.now()
    from now_seen
    where id = $1 and website = $2
    returning id
), seen as (
  select * from jsonb_to_recordset($3::jsonb) s(network text, handle text, url text, source_url text)
), gone as (
  delete from bellhand_sites.socials o using business b
    where o.business_id = b.id and $4 and not exists (select from seen s where (s.network, s.handle) = (o.network, o.handle))
), kept as (
  insert into bellhand_sites.socials as o (business_id, network, handle, url, source_url)
    select b.id, s.network, s.handle, s.url, s.source_url from business b cross join seen s
    on conflict (business_id, network, handle) do update
      set url = excluded.url, source_url = excluded.source_url, last_seen_at = bellhand.now()
)
select id from business
