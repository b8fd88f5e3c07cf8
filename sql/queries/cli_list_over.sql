-- Ids of the newest jobs that are over: in states $1, of kinds $2, of owner $3, finished since $4.
select h.id from bellhand.history h
where h.state = any ($1::text[]) and ($2::text[] is null or h.kind = any ($2)) and ($3::text is null or h.owner = $3)
  and ($4::timestamptz is null or h.finished_at >= $4)
order by h.id desc limit $5
