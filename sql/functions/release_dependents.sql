-- Lets the jobs go that waited for p_over alone; those whose parent failed or was cancelled follow their own policy.
-- A statement of its own after the parents moved to history, so that children committed meanwhile are seen.
-- Guard: the children's rows, locked before anything is looked at or deleted. Of two parents that end at the same moment the second
-- then sees what the first one did, and a pause, a resume or a cancel of a child comes before or after, not in between.
create or replace function bellhand.release_dependents(p_over bigint[]) returns void language plpgsql as $$
declare
  freed bigint[]; fails bigint[]; cancels bigint[];
begin
  if not exists (select from bellhand.dependencies d where d.parent = any (p_over)) then return; end if;
  perform from bellhand.jobs j
    where j.id = any (array(select d.child from bellhand.dependencies d where d.parent = any (p_over))) order by j.id for no key update;
  with gone as (
    delete from bellhand.dependencies d where d.parent = any (p_over) returning d.parent, d.child),
  judged as (
    select g.child, bool_and(h.state = 'completed') as fine
    from gone g left join bellhand.history h on h.id = g.parent group by g.child)
  select array_agg(j.id) filter (where judged.fine or j.depends_policy = 'release'),
         array_agg(j.id) filter (where not judged.fine and j.depends_policy = 'fail'),
         array_agg(j.id) filter (where not judged.fine and j.depends_policy = 'cancel')
    into freed, fails, cancels
    from judged join bellhand.jobs j on j.id = judged.child where j.state in ('blocked', 'paused');
  if freed is not null then
    perform bellhand.make_ready(array(
      select j.id from bellhand.jobs j where j.id = any (freed) and j.state = 'blocked'
        and not exists (select from bellhand.dependencies d where d.child = j.id)));
  end if;
  -- A child that is over leaves its other parents' rows behind: take them away, then let it fall.
  if fails is not null or cancels is not null then
    delete from bellhand.dependencies d where d.child = any (fails || cancels);
    perform bellhand.finish(coalesce(fails, '{}'), 'failed', 'a job that this one depends on did not complete');
    perform bellhand.finish(coalesce(cancels, '{}'), 'cancelled', 'a job that this one depends on did not complete');
  end if;
end $$;
