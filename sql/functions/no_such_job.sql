-- Raises the error for a job id that is neither live nor in history, with what is known of it.
create or replace function bellhand.no_such_job(p_id bigint) returns void language plpgsql as $$
begin
  raise exception using errcode = 'BH008', message = format('there is no job %s', p_id),
    detail = coalesce(bellhand.tombstone(p_id), 'It was never committed, or retention has removed it.'),
    hint = 'List jobs with: select id, kind, state from bellhand.all_jobs order by id desc limit 20';
end $$;
