-- Gives a digest to notices that wait while none is on its way: they committed while the last one ended.
create or replace function bellhand.keep_notices() returns void language plpgsql as $$
begin
  if not exists (select from bellhand.notices) then return; end if;
  insert into bellhand.jobs (kind, payload, priority, unique_key, source, tags)
    select k.name, jsonb_build_object('to', w.target, 'digest', true), k.priority, 'digest:' || w.target, 'notify', jsonb_build_object('to', w.target)
    from (select distinct x.target from bellhand.notices x where x.digest is null) w left join bellhand.channels c on c.name = w.target
      join bellhand.kinds k on k.name = 'notify.' || coalesce(c.kind, case when position('@' in w.target) > 0 then 'email' end)
    where not exists (select from bellhand.jobs j where j.kind = k.name and j.unique_key = 'digest:' || w.target) order by w.target
    on conflict (kind, unique_key) where unique_key is not null do nothing;
end $$;
