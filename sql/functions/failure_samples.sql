-- Jobs to set beside each other: up to p_limit of a group of failures, the newest, and as many of the same kind that completed, not
-- later than the group's last; each with what can be said of it (see payload_features). Planned once, for the plan of each day's
-- partition costs more than the look.
create or replace function bellhand.failure_samples(p_fingerprint text, p_limit integer)
returns table (failed boolean, job bigint, what text, value text, number float8) language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off
set jit = off as $$
begin
  return query
  with g as (select * from bellhand.failures f where f.fingerprint = p_fingerprint),
  bad as (
    select true as failed, h.* from (
      select f.job, f.finished_at from bellhand.failure_jobs f where f.fingerprint = p_fingerprint order by f.finished_at desc limit p_limit) f
    join bellhand.history h on h.id = f.job and h.finished_at = f.finished_at),
  good as (
    select false as failed, h.* from g cross join lateral (
      select x.* from (
        select y.* from bellhand.history y where y.kind = g.kind and y.finished_at <= g.last_at order by y.finished_at desc limit 20 * p_limit) x
      where x.state = 'completed' and not x.partial limit p_limit) h),
  jobs as (select * from bad union all select * from good)
  select j.failed, j.id, x.what, x.value, x.number from jobs j
  left join bellhand.workers_seen w on w.id = j.worker
  cross join lateral (
    select p.what, p.value, p.number from bellhand.payload_features(j.payload) p
    union all select 'owner', j.owner, null union all select 'source', j.source, null
    union all select 'priority', j.priority::text, j.priority
    union all select 'worker', w.name, null union all select 'host', w.host, null union all select 'version', w.version, null
    union all select 'hour (UTC)', to_char(j.finished_at at time zone 'UTC', 'HH24'), null
    union all select 'size of the payload', null, octet_length(j.payload::text)
    union all (select 'tags.' || t.key, left(t.value, 80), null from jsonb_each_text(j.tags) t limit 20)) x;
end $$;
