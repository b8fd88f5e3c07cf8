-- What every page says: the time, how many workers live, what is paused, whether there was ever a job, the kinds there are, and searches
-- that were given a name; reads small tables, and of the queues of five paused lanes 1,001 places at most.
select bellhand.now() as now, (select count(*) from bellhand.workers) as workers, (select s.is_called from bellhand.jobs_id_seq s) as any_job,
  coalesce((select jsonb_agg(jsonb_build_object('sort', p.sort, 'name', p.name, 'reason', p.reason, 'until', p.until, 'at', p.at, 'by', p.by, 'waiting', case when p.lane is not null then
    (select count(*) from (select from bellhand.queue q where q.lane = p.lane order by q.lane, q.rank, q.xid, q.id limit 1001) n) end)) from (
    select 'lane' as sort, l.name, l.paused_reason as reason, l.paused_until as until, l.paused_at as at, l.paused_by as by, l.id as lane
    from bellhand.lanes l where l.paused
    union all select 'kind', k.name, k.paused_reason, null, k.paused_at, k.paused_by, null from bellhand.kinds k where k.paused order by 1 desc, 2 limit 5) p), '[]')::text as paused,
  array(select k.name from bellhand.kinds k order by k.name) as kinds,
  coalesce((select jsonb_agg(jsonb_build_object('name', v.name, 'path', v.path, 'by', v.made_by)) from (
    select * from bellhand.views order by name limit 50) v), '[]')::text as views
