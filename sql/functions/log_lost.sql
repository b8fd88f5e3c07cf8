-- Whether a reader of the log cannot go on after this snapshot: rows that it did not see are gone (delete_old.sql wrote down up to
-- which transaction), or it comes from another server. The first transaction of all, 3, stands for the beginning of what is kept.
create or replace function bellhand.log_lost(p_before pg_snapshot) returns boolean language sql stable
return pg_snapshot_xmin(p_before) <> '3'::xid8 and (
  pg_snapshot_xmax(p_before) > pg_snapshot_xmax(pg_current_snapshot())
  or pg_snapshot_xmin(p_before)::text::numeric
    <= coalesce((select m.value::numeric from bellhand.meta m where m.name = 'events_deleted_xid'), 0));
