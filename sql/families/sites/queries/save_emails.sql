-- Writes the addresses $3 ([{address, role, how, aliases, source_url}], best first) of business $1; addresses the site no
-- longer shows go, but only after a complete reading, $4. Guarded by the website that was read, $2: no row if it changed.
with now_seen as (
  select array(select e ->> 'address' from jsonb_array_elements($3::jsonb) e) as list
), business as (
  update bellhand_sites.businesses
    set emails = list || case when $4 then '{}' else array(select old from unnest(emails) old where old <> all (list)) end,
        emails_checked_at = bellhand.now()
    from now_seen
    where id = $1 and website = $2
    returning id
), seen as (
  select * from jsonb_to_recordset($3::jsonb) s(address text, role boolean, how text, aliases text[], source_url text)
), gone as (
  delete from bellhand_sites.emails e using business b
    where e.business_id = b.id and $4 and not exists (select from seen s where s.address = e.address)
), kept as (
  insert into bellhand_sites.emails as e (business_id, address, role, how, aliases, source_url)
    select b.id, s.address, s.role, s.how, s.aliases, s.source_url from business b cross join seen s
    on conflict (business_id, address) do update
      set role = excluded.role, how = excluded.how, aliases = excluded.aliases, source_url = excluded.source_url,
          last_seen_at = bellhand.now()
)
select id from business
