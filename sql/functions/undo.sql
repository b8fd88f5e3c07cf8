-- Undoes a bulk operation where nothing else has touched a job since, and says how many that were and how many stay as they are.
-- A job whose epoch is another, or that a worker has, was touched. A retry can be undone until its jobs begin.
create or replace function bellhand.undo(p_operation bigint, out undone bigint, out kept bigint) language plpgsql set jit = off as $$
declare
  o bellhand.operations; ids bigint[]; done bigint[];
begin
  select * into o from bellhand.operations x where x.id = p_operation for update;
  if not found then
    raise exception using errcode = 'BH008', message = format('there is no operation %s', p_operation), detail = 'It was never done, or retention has removed it.',
      hint = 'See: select id, at, action, jobs from bellhand.operations order by id desc limit 20';
  elsif o.undone_at is not null or o.undo_until < bellhand.now() then
    raise exception using errcode = 'BH007', message = format('operation %s cannot be undone', p_operation),
      detail = case when o.undone_at is not null then format('%s undid it at %s.', o.undone_by, bellhand.utc_words(o.undone_at))
        else format('It could be until %s.', bellhand.utc_words(o.undo_until)) end, hint = 'Tell its jobs what to do now.';
  end if;
  ids := array(select j.job from bellhand.operation_jobs j where j.operation = p_operation);
  perform from bellhand.jobs j where j.id = any (ids) order by j.id for update;
  -- Of those, what is as the operation left it.
  ids := array(select j.id from bellhand.operation_jobs w join bellhand.jobs j on j.id = w.job and j.epoch = w.epoch where w.operation = p_operation);
  done := case o.action when 'retry' then bellhand.undo_retry(p_operation, ids) when 'cancel' then bellhand.undo_cancel(p_operation, o.at)
    else bellhand.undo_waiting(p_operation, o.action, ids) end;
  update bellhand.operation_jobs w set undone = true where w.operation = p_operation and w.job = any (done);
  undone := cardinality(done); kept := o.jobs - undone;
  update bellhand.operations x set undone_at = bellhand.now(), undone = undo.undone,
    undone_by = coalesce(nullif(current_setting('bellhand.actor', true), ''), session_user) where x.id = p_operation;
  insert into bellhand.events (type, job, kind, data)
    select 'undone', w.job, coalesce(j.kind, h.kind), jsonb_build_object('operation', p_operation, 'action', o.action)
    from unnest(done) w(job) left join bellhand.jobs j on j.id = w.job left join bellhand.history h on h.id = w.job and j.id is null;
  insert into bellhand.events (type, data) values ('bulk_undone', jsonb_build_object('operation', p_operation, 'jobs', undone, 'kept', kept));
end $$;
