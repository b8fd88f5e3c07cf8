-- Deletes the oldest chunks of jobs $1 where newer ones hold $2 lines or $3 bytes; what is left is the newest, and a chunk more at most.
delete from bellhand.job_lines l using (
  select c.job, c.epoch, c.first, c.at, sum(c.last - c.first + 1) over newer as lines, sum(c.bytes) over newer as bytes
  from bellhand.job_lines c where c.job = any ($1::bigint[])
  window newer as (partition by c.job order by c.epoch desc, c.first desc rows between unbounded preceding and 1 preceding)) o
where l.job = any ($1) and (l.job, l.epoch, l.first, l.at) = (o.job, o.epoch, o.first, o.at) and (o.lines >= $2 or o.bytes >= $3)
