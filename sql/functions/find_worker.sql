-- The worker of this id or name; refuses a word that names none, or several.
create or replace function bellhand.find_worker(p_worker text) returns bellhand.workers language plpgsql stable as $$
declare
  found_one bellhand.workers; n bigint;
begin
  n := (select count(*) from bellhand.workers w where w.id::text = p_worker or w.name = p_worker);
  if n > 1 then
    raise exception using errcode = 'BH004', message = format('%s workers go by the name %s', n, to_json(left(p_worker, 100))),
      detail = (select string_agg(format('%s (pid %s on %s)', w.id, w.pid, w.host), ', ' order by w.started_at) from bellhand.workers w where w.name = p_worker),
      hint = 'Name one by its id.';
  end if;
  select * into found_one from bellhand.workers w where w.id::text = p_worker or w.name = p_worker;
  if not found then
    raise exception using errcode = 'BH008', message = format('there is no worker %s', to_json(left(p_worker, 100))),
      hint = coalesce('Workers: ' || (select string_agg(distinct w.name, ', ') from bellhand.workers w), 'No worker lives: bellhand run');
  end if;
  return found_one;
end $$;
