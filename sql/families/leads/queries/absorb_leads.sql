-- Leads $1 turned out to be leads $2, which take over what is known of them; guarded by lock_leads.
with pairs as (
  select * from unnest($1::bigint[], $2::bigint[]) p(old, new)
), sources as (
  update bellhand_leads.sources s set lead_id = p.new from pairs p where s.lead_id = p.old
), checks as (
  update bellhand_leads.ads_checks c set lead_id = p.new from pairs p where c.lead_id = p.old
), keys as (
  delete from bellhand_leads.keys k using pairs p where k.lead_id = p.old
), known as (
  update bellhand_leads.leads l
    set ai_category = coalesce(l.ai_category, o.ai_category), fit_score = coalesce(l.fit_score, o.fit_score),
        summary = coalesce(l.summary, o.summary), enriched_at = coalesce(l.enriched_at, o.enriched_at),
        first_seen_at = least(l.first_seen_at, o.first_seen_at)
    from (select distinct on (p.new) p.new, old.* from pairs p join bellhand_leads.leads old on old.id = p.old
            order by p.new, old.enriched_at desc nulls last) o
    where l.id = o.new
)
update bellhand_leads.leads l set merged_into = p.new from pairs p where l.id = p.old or l.merged_into = p.old
