-- Deletes up to p_limit events, ticks, stats rows and notices each that are older than the given days, oldest first, and tickets,
-- tokens, sessions and keys of requests that are of no use any more. Up to which transaction events are gone is written down: a stream that stood before it cannot go on.
create or replace function bellhand.delete_old(p_events_days integer, p_stats_days integer, p_limit integer default 5000) returns bigint
language plpgsql as $$
declare
  n bigint; total bigint := 0;
begin
  with gone as (
    delete from bellhand.events e where e.seq = any (array(
      select x.seq from (select y.seq, y.at from bellhand.events y order by y.seq limit p_limit) x
      where x.at < bellhand.now() - p_events_days * interval '1 day')) returning e.xid),
  noted as (
    insert into bellhand.meta as old (name, value) select 'events_deleted_xid', max(g.xid::text::numeric)::text from gone g having count(*) > 0
      on conflict (name) do update set value = greatest(old.value::numeric, excluded.value::numeric)::text)
  select count(*) into n from gone;
  total := total + n;
  delete from bellhand.stats s where s.ctid = any (array(
    select x.ctid from bellhand.stats x where x.minute < bellhand.now() - p_stats_days * interval '1 day' limit p_limit));
  get diagnostics n = row_count; total := total + n;
  delete from bellhand.schedule_ticks t where t.ctid = any (array(
    select x.ctid from bellhand.schedule_ticks x where x.tick < bellhand.now() - p_events_days * interval '1 day' limit p_limit));
  get diagnostics n = row_count; total := total + n;
  -- What no window counts any more, and what a digest that failed for good would still tell.
  delete from bellhand.notices o where o.id = any (array(
    select x.id from bellhand.notices x
    where x.at < bellhand.now() - case when x.digest = 0 then interval '1 day' else p_events_days * interval '1 day' end limit p_limit));
  get diagnostics n = row_count; total := total + n;
  delete from bellhand.tickets t where t.digest = any (array(
    select x.digest from bellhand.tickets x where x.expires_at < bellhand.now() - interval '1 day' order by x.expires_at limit p_limit));
  get diagnostics n = row_count; total := total + n;
  delete from bellhand.tombstones t where (t.job, t.key) in (
    select x.job, x.key from bellhand.tombstones x where x.purged_at < bellhand.now() - p_events_days * interval '1 day' order by x.purged_at limit p_limit);
  get diagnostics n = row_count; total := total + n;
  delete from bellhand.idempotency i where i.ctid = any (array(
    select x.ctid from bellhand.idempotency x where x.at < bellhand.now() - interval '1 day' order by x.at limit p_limit));
  get diagnostics n = row_count; total := total + n;
  -- Who had a token is told as long as what he did with it; a session opens nothing once it has expired.
  delete from bellhand.tokens t where t.id = any (array(
    select x.id from bellhand.tokens x
    where coalesce(x.revoked_at, x.expires_at) < bellhand.now() - case when x.opened_with is null then p_events_days else 0 end * interval '1 day'
    limit p_limit));
  get diagnostics n = row_count; return total + n;
end $$;
