-- Ends run $1: what still waits has no match; guarded by its epoch $2, no row if it has a later one.
with own as (
  update bellhand_matching.runs r set finished_at = bellhand.now(), processed_items = r.total_items
    where r.id = $1 and r.epoch = $2 returning r.id),
left_over as (
  update bellhand_matching.run_items i set state = 'unmatched' from own where i.run_id = own.id and i.state = 'waiting')
select id from own
