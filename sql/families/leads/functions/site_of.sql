-- What the sites family has found out about a lead's website; all null where that family is not here.
create or replace function bellhand_leads.site_of(business_id bigint,
  out website_status text, out emails text[], out socials text[])
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if site_of.business_id is null or to_regclass('bellhand_sites.businesses') is null then return; end if;
  select b.website_status, b.emails, b.socials into site_of.website_status, site_of.emails, site_of.socials
    from bellhand_sites.businesses b where b.id = site_of.business_id;
end $$;
revoke execute on function bellhand_leads.site_of from public;
select bellhand.allow(who, 'execute on function bellhand_leads.site_of') from unnest(array['reader', 'worker']) who;
