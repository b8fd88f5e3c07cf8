-- How long collecting will take: a step for each service in each location, times what the newest 200 searches took on average.
-- `measured` says how many that were; with none it is the time limit of a step, 600 s, which no step exceeds (seconds_max).
create or replace function bellhand_leads.estimate(services integer, locations integer,
  out steps integer, out seconds double precision, out seconds_max double precision, out measured integer)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with newest as (
    select job_id, service, location, seconds from bellhand_leads.pages order by stored_at desc limit 1000
  ), searches as (
    select sum(seconds) as seconds from newest group by job_id, service, location limit 200
  )
  select estimate.services * estimate.locations,
         estimate.services * estimate.locations * coalesce(avg(s.seconds), 600.0),
         estimate.services * estimate.locations * 600.0, count(*)::integer
    from searches s
$$;
revoke execute on function bellhand_leads.estimate from public;
select bellhand.allow(who, 'execute on function bellhand_leads.estimate') from unnest(array['producer', 'reader', 'worker']) who;
