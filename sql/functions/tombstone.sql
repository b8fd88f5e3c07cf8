-- What is known of a job that is gone, in one sentence, or null: what it was if somebody purged it, else that jobs of its age went with
-- retention. p_key: only if it had that key.
create or replace function bellhand.tombstone(p_id bigint, p_key uuid default null) returns text language sql stable as $$
  select coalesce(
    (select format('it was a job of kind %s that %s at %s; %s purged it at %s%s', t.kind,
        case when t.partial then 'completed in part' when t.state = 'cancelled' then 'was cancelled' else t.state end,
        bellhand.utc_words(t.finished_at), t.purged_by,
        bellhand.utc_words(t.purged_at), coalesce(format(' (%s)', nullif(t.reason, '')), ''))
      from bellhand.tombstones t where t.job = p_id and (p_key is null or t.key = p_key) order by t.purged_at desc limit 1),
    (select format('jobs of its age went with retention at %s: those that ended on %s, history is kept for %s days',
        to_char(d.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), d.day, d.kept_days)
      from bellhand.dropped_days d where p_id between d.first and d.last order by d.day desc limit 1))
$$;
