-- Every matching job with its project and how far it is, live or over: the stable view for monitoring (S1-03, S1-23).
-- estimated_completion comes from the pace of this attempt in the last stage, and is null until that is measured.
create or replace view bellhand_matching.matching_jobs as
  select j.key as id, j.id as job, coalesce(r.project_id, j.payload ->> 'project_id', j.payload ->> 'projectId') as project_id,
    case j.state when 'completed' then 'completed' when 'failed' then 'failed' when 'cancelled' then 'failed'
      when 'running' then 'processing' when 'paused' then 'processing' else 'pending' end as status,
    j.state, coalesce(r.job_type, j.payload ->> 'job_type', j.payload ->> 'jobType', 'ai') as job_type,
    coalesce(r.stage, 0) as current_stage, coalesce(r.stage_name, 'Waiting') as current_stage_name,
    coalesce(r.total_items, (
      select count(*) from bellhand_matching.items i
      where i.project_id = coalesce(j.payload ->> 'project_id', j.payload ->> 'projectId') and i.side = 'source' and not exists (
        select from bellhand_matching.matches m where m.source_id = i.id and m.status <> 'rejected'))::integer) as total_items,
    coalesce(r.processed_items, 0) as processed_items,
    coalesce(round(100.0 * r.processed_items / nullif(r.total_items, 0), 1), case when j.state = 'completed' then 100.0 else 0.0 end)
      as progress_percentage,
    coalesce(r.matches_found, 0) as matches_found,
    coalesce(round(100.0 * r.matches_found / nullif(r.processed_items, 0), 1), 0.0) as match_rate,
    coalesce(r.failed_items, 0) as failed_items, r.dollars + r.embedding_dollars as dollars, j.partial,
    coalesce(r.started_at, j.started_at) as started_at, j.finished_at as completed_at, j.created_at,
    case when j.state = 'running' and r.last_stage and r.stage_done > r.pace_done and r.stage_total > r.stage_done then
      r.told_at + (r.stage_total - r.stage_done) * (r.told_at - r.pace_started_at) / (r.stage_done - r.pace_done) end
      as estimated_completion,
    j.result as results, j.error as error_message, r.id as run_id
  from bellhand.all_jobs j left join bellhand_matching.runs r on r.job_key = j.key
  where j.kind = 'matching.run';
select bellhand.allow(who, 'select on bellhand_matching.matching_jobs') from unnest(array['reader', 'worker']) who;
