-- Deletes leases and says what they held: ids, epochs, and for how many seconds.
create or replace function bellhand.drop_leases(p_leases bigint[], out ids bigint[], out epochs integer[], out run_seconds real[])
language sql as $$
  with gone as (delete from bellhand.leases l where l.id = any (p_leases) returning l.ids, l.epochs, l.claimed_at)
  select array_agg(u.id), array_agg(u.epoch), array_agg(extract(epoch from bellhand.now() - g.claimed_at)::real)
    from gone g cross join unnest(g.ids, g.epochs) u(id, epoch)
$$;
