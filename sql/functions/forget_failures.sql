-- Forgets up to p_limit failures whose jobs history has let go of after p_days days, and the groups that are empty then; how many. Old
-- operations go after the same time, and workers that were not seen for so long.
create or replace function bellhand.forget_failures(p_days integer, p_limit integer default 5000) returns bigint language plpgsql as $$
declare
  before timestamptz := date_trunc('day', bellhand.now(), 'UTC') - p_days * interval '1 day'; n bigint; total bigint := 0;
begin
  delete from bellhand.failure_jobs f where (f.job, f.finished_at) in (
    select x.job, x.finished_at from bellhand.failures g cross join lateral (
      select y.job, y.finished_at from bellhand.failure_jobs y
      where y.fingerprint = g.fingerprint and y.finished_at < before order by y.finished_at limit p_limit) x
    where g.first_at < before limit p_limit);
  get diagnostics n = row_count; total := total + n;
  delete from bellhand.failures f where f.last_at < before;
  delete from bellhand.failure_hours h where h.hour < before;
  delete from bellhand.workers_seen w where w.seen_at < before;
  delete from bellhand.operations o where o.id in (select x.id from bellhand.operations x where x.at < before order by x.id limit 100);
  get diagnostics n = row_count; return total + n;
end $$;
