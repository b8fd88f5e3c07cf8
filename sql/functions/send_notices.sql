-- Enqueues deliveries (place_notices), all those that can be written: where one cannot (its kind's checks refuse it, say), the halves are
-- tried alone, down to that one, which becomes an event `notification_lost`. What may pass is raised on.
create or replace function bellhand.send_notices(p_targets text[], p_events jsonb[]) returns void language plpgsql as $$
declare
  half constant integer := cardinality(p_targets) / 2;
begin
  if p_targets is null then return; end if;
  begin
    perform bellhand.place_notices(p_targets, p_events);
    return;
  exception when others then
    if sqlstate ~ '^(40|53|55|57|58|XX)' then raise; end if;
    if half = 0 then
      insert into bellhand.events (type, job, kind, data) values ('notification_lost', (p_events[1] #>> '{data,id}')::bigint,
        p_events[1] #>> '{data,kind}', jsonb_build_object('to', p_targets[1], 'error', sqlerrm));
      return;
    end if;
  end;
  perform bellhand.send_notices(p_targets[:half], p_events[:half]);
  perform bellhand.send_notices(p_targets[half + 1:], p_events[half + 1:]);
end $$;
