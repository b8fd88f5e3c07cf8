-- What is wrong with items of run $1 before it began.
select n.item_id, n.error from bellhand_matching.run_items n where n.run_id = $1 and n.state = 'failed' and n.stage = 0
order by n.item_id limit 20
