-- Adds chunks of lines: jobs $1, epochs $2, attempts $3, the first $4 and last $5 number of each within its attempt, bytes $6, lines $7.
-- Where the job ran before, its lines are numbered on. Nothing guards against a second copy (an answer got lost): who reads leaves it out.
insert into bellhand.job_lines (job, epoch, first, last, attempt, bytes, lines)
select u.job, u.epoch, u.first + b.before, u.last + b.before, u.attempt, u.bytes, u.lines
from unnest($1::bigint[], $2::integer[], $3::smallint[], $4::bigint[], $5::bigint[], $6::integer[], $7::text[])
  u(job, epoch, attempt, first, last, bytes, lines)
cross join lateral (select case when u.epoch > 1 then coalesce((
  select l.last from bellhand.job_lines l where l.job = u.job and l.epoch < u.epoch order by l.epoch desc, l.first desc limit 1), 0)
  else 0 end as before) b
