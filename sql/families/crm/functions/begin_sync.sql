-- Begins a pass over a source, or goes on with the one that this job has begun: verdict go, wait or bad. The lock on the source makes jobs
-- take turns; a pass whose job is over is given up, because its cursors may be worth nothing any more.
create or replace function bellhand_crm.begin_sync(
  p_source text, p_job_id bigint, out verdict text, out reason text, out sync bellhand_crm.syncs, out source bellhand_crm.sources)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  select * into source from bellhand_crm.sources s where s.name = p_source for no key update;
  if not found then
    verdict := 'bad'; reason := format('there is no source %s in bellhand_crm.sources', p_source); return;
  end if;
  select * into sync from bellhand_crm.syncs y where y.source = p_source and y.state = 'running';
  verdict := 'go';
  if sync.job_id = p_job_id then
    return;
  elsif sync.id is not null and exists (select from bellhand.jobs j where j.id = sync.job_id) then
    verdict := 'wait'; reason := format('job %s is reading this source', sync.job_id); return;
  end if;
  update bellhand_crm.syncs y set state = 'failed', error = 'its job ended', ended_at = bellhand.now() where y.id = sync.id;
  insert into bellhand_crm.syncs as y (source, job_id) values (p_source, p_job_id) returning y.* into sync;
end $$;
revoke execute on function bellhand_crm.begin_sync from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.begin_sync');
