-- A word for each of the jobs that changes whenever what there is to tell of it does: another row version, another claim, its time
-- has come, it is over. No row for one that is not there. Reads by id, history only for what is not live.
create or replace function bellhand.job_versions(p_ids bigint[]) returns table (id bigint, version text) language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off set max_parallel_workers_per_gather = 0 as $$
#variable_conflict use_column
declare
  gone bigint[];
begin
  return query
    select j.id, concat_ws('.', 'l', j.epoch, j.xmin, (j.run_at <= bellhand.now())::integer, left(r.worker::text, 8))
    from bellhand.jobs j left join bellhand.running r on r.id = j.id and r.epoch = j.epoch where j.id = any (p_ids);
  gone := array(select p.id from unnest(p_ids) p(id) where not exists (select from bellhand.jobs j where j.id = p.id));
  if gone <> '{}' then
    return query
      select distinct on (h.id) h.id, concat_ws('.', 'h', h.epoch, (extract(epoch from h.finished_at) * 1000000)::bigint)
      from bellhand.history h where h.id = any (gone) order by h.id, h.finished_at desc;
  end if;
end $$;
