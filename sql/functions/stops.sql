-- Which of the jobs that a worker runs it must stop, and why: lost (its lease is gone, or it was placed anew), cancel, pause.
create or replace function bellhand.stops(p_worker uuid, p_ids bigint[], p_epochs integer[], p_leases bigint[])
returns table (id bigint, epoch integer, stop text) language sql stable as $$
  select u.id, u.epoch, case when j.id is null then 'lost' else j.stop end
  from unnest(p_ids, p_epochs, p_leases) u(id, epoch, lease)
  left join bellhand.leases l on l.id = u.lease and l.worker = p_worker
  left join bellhand.jobs j on j.id = u.id and j.epoch = u.epoch and l.id is not null
  where j.id is null or j.stop is not null
$$;
