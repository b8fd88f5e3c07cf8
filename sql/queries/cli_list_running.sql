-- Ids of the newest running jobs, found by their leases: of kinds $1, of owner $2, made since $3.
select j.id from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch
where ($1::text[] is null or j.kind = any ($1)) and ($2::text is null or j.owner = $2) and ($3::timestamptz is null or j.created_at >= $3)
order by j.id desc limit $4
