-- Ids of the jobs that went wrong last, by an index of only those: in states $1 (`partial` is one here), of kinds $2, of
-- owner $3, finished since $4.
select h.id from bellhand.history h
where (h.state <> 'completed' or h.partial) and case when h.partial then 'partial' else h.state end = any ($1::text[])
  and ($2::text[] is null or h.kind = any ($2)) and ($3::text is null or h.owner = $3)
  and ($4::timestamptz is null or h.finished_at >= $4)
order by h.finished_at desc limit $5
