-- Ids of the newest jobs that are not over, in states $1 as all_jobs names them, of kind $2, of owner $3, made since $4.
select j.id from bellhand.jobs j left join bellhand.running r on r.id = j.id and r.epoch = j.epoch and j.state = 'pending'
where case when j.state <> 'pending' then j.state when r.id is not null then 'running' when j.attempts > 0 then 'retrying'
           when j.run_at > bellhand.now() then 'scheduled' else 'pending' end = any ($1::text[])
  and ($2::text is null or j.kind = $2) and ($3::text is null or j.owner = $3)
  and ($4::timestamptz is null or j.created_at >= $4)
order by j.id desc limit $5
