-- Notes that run $1 begins a stage ($3, $4) with $5 things to do, or goes on with it, and whether it is the last ($6); guarded by its epoch $2.
update bellhand_matching.runs r
  set stage = $3, stage_name = $4, stage_total = $5, last_stage = $6, told_at = bellhand.now(),
    stage_done = case when r.stage = $3 then least(r.stage_done, $5) else 0 end,
    pace_done = case when r.stage = $3 then least(r.stage_done, $5) else 0 end, pace_started_at = bellhand.now()
  where r.id = $1 and r.epoch = $2
  returning r.id
