-- Ids of the newest jobs that are not over, in states $1 as all_jobs names them, of kinds $2, of owner $3, made since $4.
select j.id from bellhand.jobs j left join bellhand.running r on r.id = j.id and r.epoch = j.epoch and j.state = 'pending'
where bellhand.live_state(j.state, r.id is not null, j.attempts, j.snoozed, j.run_at) = any ($1::text[])
  and ($2::text[] is null or j.kind = any ($2)) and ($3::text is null or j.owner = $3)
  and ($4::timestamptz is null or j.created_at >= $4)
order by j.id desc limit $5
