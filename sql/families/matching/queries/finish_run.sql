-- Ends run $1: what still waits has no match, and where nobody was asked which of several alike in the catalogue is meant, it says so;
-- guarded by its epoch $2, no row if it has a later one.
with own as (
  update bellhand_matching.runs r set finished_at = bellhand.now(), processed_items = r.total_items
    where r.id = $1 and r.epoch = $2 returning r.id),
asked as (
  update bellhand_matching.run_items i set state = 'unmatched'
    from own where i.run_id = own.id and i.state = 'waiting' and i.stage >= 3),
left_over as (
  update bellhand_matching.run_items i
    set state = 'unmatched', error = (
      select format('%s entries of the catalogue are equally likely', c.evidence ->> 'alike')
      from bellhand_matching.candidates c
      where c.run_id = i.run_id and c.source_id = i.item_id and c.evidence ? 'alike'
      order by c.confidence desc limit 1)
    from own where i.run_id = own.id and i.side = 'source' and i.state = 'waiting' and i.stage < 3)
select id from own
