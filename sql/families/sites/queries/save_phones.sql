-- Writes the numbers $3 ([{number, fax, extension, how, shown, source_url}], in the site's order) of business $1; numbers the
-- site no longer shows go, but only after a complete reading, $4. Guarded by the website that was read, $2: no row if it changed.
with seen as (
  select * from jsonb_to_recordset($3::jsonb) s(number text, fax boolean, extension text, how text, shown text, source_url text)
), now_seen as (
  select array(select e ->> 'number' from jsonb_array_elements($3::jsonb) e where not (e ->> 'fax')::boolean) as phones,
         array(select e ->> 'number' from jsonb_array_elements($3::jsonb) e where (e ->> 'fax')::boolean) as faxes,
         array(select number from seen) as numbers
), business as (
  update bellhand_sites.businesses b
    set phones = n.phones || case when $4 then '{}' else array(select old from unnest(b.phones) old where old <> all (n.numbers)) end,
        faxes = n.faxes || case when $4 then '{}' else array(select old from unnest(b.faxes) old where old <> all (n.numbers)) end,
        phones_checked_at = bellhand.now()
    from now_seen n
    where b.id = $1 and b.website = $2
    returning b.id
), gone as (
  delete from bellhand_sites.phones p using business b
    where p.business_id = b.id and $4 and not exists (select from seen s where s.number = p.number)
), kept as (
  insert into bellhand_sites.phones as p (business_id, number, fax, extension, how, shown, source_url)
    select b.id, s.number, s.fax, s.extension, s.how, s.shown, s.source_url from business b cross join seen s
    on conflict (business_id, number) do update
      set fax = excluded.fax, extension = excluded.extension, how = excluded.how, shown = excluded.shown,
          source_url = excluded.source_url, last_seen_at = bellhand.now()
)
select id from business
