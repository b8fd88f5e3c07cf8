-- Enters leads with a website into the sites family's businesses, where that family is here: its own trigger enqueues the
-- checks, in the same transaction. Excluded leads are not entered, and what was entered follows when a lead is excluded or
-- gets another website. One advisory lock guards against two rows for one website.
create or replace function bellhand_leads.leads_changed() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare entering bigint[]; moved bigint[]; flipped bigint[];
begin
  if to_regclass('bellhand_sites.businesses') is null then return null; end if;
  if tg_op = 'INSERT' then
    select array_agg(c.id) into entering from changed c where c.website is not null and not c.excluded and c.business_id is null;
  else
    select array_agg(c.id) filter (where c.business_id is null and c.website is not null and not c.excluded and c.merged_into is null),
           array_agg(c.id) filter (where c.business_id is not null and c.website is distinct from b.website and c.merged_into is null),
           array_agg(c.business_id) filter (where c.business_id is not null and (c.excluded, c.merged_into) is distinct from (b.excluded, b.merged_into))
      into entering, moved, flipped
      from changed c join before b using (id)
      where (c.website, c.excluded, c.merged_into) is distinct from (b.website, b.excluded, b.merged_into);
  end if;
  if entering is not null then
    perform pg_advisory_xact_lock(hashtextextended('bellhand_leads.leads_changed', 0));
    insert into bellhand_sites.businesses (name, website, country)
      select distinct on (l.website) l.name, l.website, l.country from bellhand_leads.leads l
        where l.id = any(entering) and not exists (select from bellhand_sites.businesses b where b.website = l.website)
        order by l.website, l.id;
    update bellhand_leads.leads l
      set business_id = (select min(b.id) from bellhand_sites.businesses b where b.website = l.website)
      where l.id = any(entering);
  end if;
  if moved is not null then
    update bellhand_sites.businesses b set website = l.website
      from bellhand_leads.leads l where l.id = any(moved) and b.id = l.business_id and b.website is distinct from l.website;
  end if;
  if flipped is not null then
    -- A site that several leads have is left alone only when all of them are.
    update bellhand_sites.businesses b set excluded = f.excluded
      from (select l.business_id, bool_and(l.excluded) as excluded from bellhand_leads.leads l
              where l.business_id = any(flipped) and l.merged_into is null group by 1) f
      where b.id = f.business_id and b.excluded <> f.excluded;
  end if;
  return null;
end $$;
revoke execute on function bellhand_leads.leads_changed from public;

create or replace trigger leads_inserted after insert on bellhand_leads.leads
  referencing new table as changed for each statement execute function bellhand_leads.leads_changed();
create or replace trigger leads_updated after update on bellhand_leads.leads
  referencing old table as before new table as changed for each statement execute function bellhand_leads.leads_changed();
