-- Drops one partition of history, with the steps of its jobs, or of what jobs logged, that is older than p_days days, and returns its name,
-- or null when none is left; rows of the default partitions go in batches. As the schema's owner.
create or replace function bellhand.drop_history(p_days integer, p_limit integer default 5000) returns text language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
  before timestamptz := date_trunc('day', bellhand.now(), 'UTC') - p_days * interval '1 day';
  part text; gone bigint;
begin
  select c.relname into part from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent in ('bellhand.history'::regclass, 'bellhand.job_lines'::regclass) and c.relname ~ '^(history|job_lines)_[0-9]{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp at time zone 'UTC' + interval '1 day' <= before
    order by right(c.relname, 8), c.relname limit 1;
  if part is not null then
    if part like 'history%' then
      execute format('insert into bellhand.dropped_days (day, first, last, jobs, kept_days) select $1, min(h.id), max(h.id), count(*), $2 from bellhand.%I h '
        'having count(*) > 0 on conflict (day) do nothing', part) using to_date(right(part, 8), 'YYYYMMDD'), p_days;
      execute format('delete from bellhand.steps s using bellhand.%I h where s.job = h.id and not exists (select from bellhand.jobs j where j.id = h.id)', part);
    end if;
    execute format('drop table bellhand.%I', part);
    return part;
  end if;
  delete from bellhand.job_lines_default l where l.ctid = any (array(
    select x.ctid from bellhand.job_lines_default x where x.at < before limit p_limit));
  get diagnostics gone = row_count;
  if gone > 0 then return 'job_lines_default'; end if;
  with old as (
    delete from bellhand.history_default h where h.ctid = any (array(
      select x.ctid from bellhand.history_default x where x.finished_at < before limit p_limit)) returning h.id),
  steps as (
    delete from bellhand.steps s where s.job in (select o.id from old o) and not exists (select from bellhand.jobs j where j.id = s.job))
  select count(*) into gone from old;
  return case when gone > 0 then 'history_default' end;
end $$;
revoke execute on function bellhand.drop_history from public;
select bellhand.allow('worker', 'execute on function bellhand.drop_history');
