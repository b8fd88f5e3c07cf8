-- Writes the addresses $3 ([{address, role, how, aliases, mail, source_url}], best first) of business $1; addresses the site no
-- longer shows go, but only after a complete reading, $4. Guarded by the website that was read, $2: no row if it changed.
with seen as (
  select * from jsonb_to_recordset($3::jsonb)
    s(address text, role boolean, how text, aliases text[], mail text, source_url text)
), now_seen as (
  select array(select e ->> 'address' from jsonb_array_elements($3::jsonb) e where e ->> 'mail' not in ('missing', 'refused')) as list,
         array(select address from seen) as addresses
), business as (
  update bellhand_sites.businesses b
    set emails = n.list || case when $4 then '{}' else array(select old from unnest(b.emails) old where old <> all (n.addresses)) end,
        emails_checked_at = bellhand.now()
    from now_seen n
    where b.id = $1 and b.website = $2
    returning b.id
), gone as (
  delete from bellhand_sites.emails e using business b
    where e.business_id = b.id and $4 and not exists (select from seen s where s.address = e.address)
), kept as (
  insert into bellhand_sites.emails as e (business_id, address, role, how, aliases, mail, source_url)
    select b.id, s.address, s.role, s.how, s.aliases, s.mail, s.source_url from business b cross join seen s
    on conflict (business_id, address) do update
      set role = excluded.role, how = excluded.how, aliases = excluded.aliases,
          mail = case excluded.mail when 'unknown' then e.mail else excluded.mail end,  -- an old answer beats none
          source_url = excluded.source_url, last_seen_at = bellhand.now()
)
select id from business
