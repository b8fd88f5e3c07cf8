-- Sends again what failed for good to a channel or address since p_since, oldest first, and returns how many: same jobs, so receivers
-- see the same webhook-id. One delivery alone: bellhand.retry(id).
create or replace function bellhand.replay(p_target text, p_since timestamptz default bellhand.now() - interval '1 day') returns bigint language plpgsql as $$
declare
  d record; n bigint := 0;
begin
  for d in select h.id from bellhand.history h
      where h.finished_at >= p_since and (h.state <> 'completed' or h.partial) and h.state = 'failed' and h.kind like 'notify.%' and h.payload ->> 'to' = p_target
        and not exists (select from bellhand.jobs j where j.kind = h.kind and j.unique_key = h.unique_key)
      order by h.finished_at, h.id loop
    perform bellhand.retry(d.id);
    n := n + 1;
  end loop;
  return n;
end $$;
