-- Adds chunks of lines: jobs $1, epochs $2, attempts $3, the first $4 and last $5 number of each within its attempt, bytes $6, lines $7.
-- Where the job ran before, its lines are numbered on, after what is stored of older epochs and what of them is in this batch. Nothing
-- guards against a second copy (an answer got lost): who reads leaves it out.
with u as materialized (
  select u.*, min(u.epoch) over (partition by u.job) as oldest,
    coalesce(sum(u.last) over (partition by u.job order by u.epoch rows between unbounded preceding and 1 preceding), 0)::bigint as beside
  from unnest($1::bigint[], $2::integer[], $3::smallint[], $4::bigint[], $5::bigint[], $6::integer[], $7::text[])
    u(job, epoch, attempt, first, last, bytes, lines))
insert into bellhand.job_lines (job, epoch, first, last, attempt, bytes, lines)
select u.job, u.epoch, u.first + b.before, u.last + b.before, u.attempt, u.bytes, u.lines
from u cross join lateral (select u.beside + case when u.oldest > 1 then coalesce((
  select l.last from bellhand.job_lines l where l.job = u.job and l.epoch < u.oldest order by l.epoch desc, l.first desc limit 1), 0)
  else 0 end as before) b
