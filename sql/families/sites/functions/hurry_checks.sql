-- Gives checks that wait with a lower priority this one, at once even where a retry was due later; returns how many.
-- Guards: each job's row is locked before it is taken out of its place, so a job that a worker has is left as it is.
create or replace function bellhand_sites.hurry_checks(ids bigint[], to_priority integer, kinds text[])
returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare job bigint; taken bigint[] := '{}';
begin
  for job in
    select j.id from bellhand.jobs j
      where j.kind = any (kinds) and j.unique_key = any (select 'business:' || one from unnest(ids) one)
        and j.priority < to_priority and j.state = 'pending'
      order by j.id for update
  loop
    if bellhand.take_out(job) then
      update bellhand.jobs set priority = to_priority, run_at = least(run_at, bellhand.now()) where id = job;
      taken := taken || job;
    end if;
  end loop;
  perform bellhand.make_ready(taken);
  return cardinality(taken);
end $$;
revoke execute on function bellhand_sites.hurry_checks from public;
