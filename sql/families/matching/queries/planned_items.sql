-- How many items stage $2 of run $1 asks about.
select count(*) as items from bellhand_matching.run_chunks c where c.run_id = $1 and c.stage = $2
