-- What a restored database says of the moment it was backed up at: the last sign of life in it, whether it is on another server than it was made on,
-- and how many workers have beaten within the last $1 seconds.
select bellhand.now() as now,
  greatest((select max(w.beat) from bellhand.workers w), (select max(l.claimed_at) from bellhand.leases l), (select max(s.minute) from bellhand.stats s),
    (select j.created_at from bellhand.jobs j order by j.id desc limit 1), (select e.at from bellhand.events e where e.type not in ('queue_rebuilt', 'kind_paused', 'schedule_paused') order by e.seq desc limit 1)) as backup_at,
  (select m.value from bellhand.meta m where m.name = 'system_identifier') is distinct from (select c.system_identifier::text from pg_control_system() c) as moved,
  (select count(*) from bellhand.workers w where w.beat > bellhand.now() - make_interval(secs => $1)) as workers
