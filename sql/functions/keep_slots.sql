-- Sets how many slots of a limited lane a worker holds and takes p_taken tokens when p_locked. It gets no more than p_most, which the others
-- leave it, but keeps those that it runs in where the limit is lower by now: it may rise again before they have ended. Growing happens only
-- under the lane's row lock that claim() holds then; giving back needs no lock, but rings for whoever waited for slots.
create or replace function bellhand.keep_slots(p_worker uuid, p_lane smallint, p_slots integer, p_most integer, p_locked boolean, p_taken integer)
returns void language plpgsql as $$
declare
  had integer := (select slots from bellhand.lane_holds h where h.lane = p_lane and h.worker = p_worker);
begin
  p_slots := least(p_slots, greatest(p_most, had));
  if p_locked and p_taken > 0 then
    update bellhand.lanes l
      set tokens = bellhand.refilled(l.tokens, l.tokens_at, l.rate_burst, l.rate_per_second) - p_taken,
          tokens_at = bellhand.now()
      where l.id = p_lane and l.rate_per_second is not null;
  end if;
  if had is null and p_slots > 0 then
    insert into bellhand.lane_holds (lane, worker, slots)
      select p_lane, p_worker, p_slots from bellhand.lanes l where l.id = p_lane and l.concurrency is not null;
  elsif had <> p_slots then
    update bellhand.lane_holds h set slots = p_slots where h.lane = p_lane and h.worker = p_worker;
    if p_slots < had then perform bellhand.ring(); end if;
  end if;
end $$;
