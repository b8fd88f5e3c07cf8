-- What handlers logged, job by job: the newest lines of each, in chunks, by the day they were written.

-- A chunk is what one attempt logged between two writes of its daemon: `lines` is a JSON array of [milliseconds before `at`, level,
-- step or null, message, fields], numbered `first` to `last` among all lines of the job; numbers that no chunk has were dropped.
-- Text, since parsing it as jsonb costs the writer more than the rest. Partitions go whole with the history of their time.
create table bellhand.job_lines (
  job     bigint      not null,
  epoch   integer     not null,              -- of the attempt: what a worker still writes that lost the job stays apart
  first   bigint      not null,
  last    bigint      not null check (last >= first),
  attempt smallint    not null,
  at      timestamptz not null default bellhand.now(),
  bytes   integer     not null,
  lines   text        not null
) partition by range (at);
create index job_lines_job on bellhand.job_lines (job, epoch, first);
create table bellhand.job_lines_default partition of bellhand.job_lines default;

select bellhand.allow('worker', 'select, insert, update, delete on bellhand.job_lines, bellhand.job_lines_default');
select bellhand.allow('reader', 'select on bellhand.job_lines');   -- job_log reads it as who asks
