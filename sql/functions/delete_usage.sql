-- Deletes up to p_limit rows each of usage older than p_days, of answers too old for anybody to use again, and of writers
-- whose process is long gone.
create or replace function bellhand.delete_usage(p_days integer, p_limit integer default 5000) returns bigint language plpgsql as $$
declare
  n bigint; total bigint := 0;
begin
  delete from bellhand.usage u where u.ctid = any (array(
    select x.ctid from bellhand.usage x where x.day < (bellhand.now() at time zone 'UTC')::date - p_days limit p_limit));
  get diagnostics n = row_count; total := total + n;
  delete from bellhand.usage_days u where u.day < (bellhand.now() at time zone 'UTC')::date - p_days;
  get diagnostics n = row_count; total := total + n;
  delete from bellhand.service_cache c where (c.service, c.key) in (
    select x.service, x.key from bellhand.service_cache x where x.fetched_at < bellhand.now() - interval '30 days' limit p_limit);
  get diagnostics n = row_count; total := total + n;
  delete from bellhand.usage_writers w where w.at < bellhand.now() - interval '7 days';
  get diagnostics n = row_count; return total + n;
end $$;
