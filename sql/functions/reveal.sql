-- Payload, result and error of a job with nothing hidden, for p_reason, which goes into the log with who asked: in one statement, so that
-- nobody is answered before it is written down. An id that a failover issued twice is the live job's, as for every act.
create or replace function bellhand.reveal(p_id bigint, p_reason text) returns table (payload jsonb, result jsonb, error text) language plpgsql as $$
declare
  j bellhand.all_jobs;
begin
  if coalesce(p_reason !~ '\S', true) or length(p_reason) > 500 then
    raise exception using errcode = 'BH004', message = 'reason is not accepted', detail = 'It must say something, in at most 500 characters.',
      hint = 'Say what the hidden values are needed for; the audit log keeps it.';
  end if;
  select a.* into j from bellhand.jobs_by_id(array[p_id]) a order by a.finished_at desc nulls first limit 1;
  if not found then perform bellhand.no_such_job(p_id); end if;
  insert into bellhand.events (type, job, kind, data) values ('revealed', j.id, j.kind, jsonb_build_object('reason', p_reason));
  return query select j.payload, j.result, j.error;
end $$;
