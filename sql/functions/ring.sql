-- Rings the bell, but only while some worker sleeps: NOTIFY holds a lock across the commit, which would cap every
-- producer of the cluster. The guard on the queue's usage keeps a stuck listener elsewhere from failing our commits.
-- p_what is '', or 'soon' when something was scheduled, so that whoever hears it looks when the next job is due.
create or replace function bellhand.ring(p_what text default '') returns void language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- Real time on purpose: sleeping is about connections, not about when jobs are due.
  if (select last_value from bellhand.asleep_until) > extract(epoch from clock_timestamp()) * 1000
     and pg_notification_queue_usage() < 0.5 then
    perform pg_notify('bellhand', p_what);
  end if;
end $$;
