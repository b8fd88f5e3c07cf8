-- Says of worker $1 that it claims nothing more since its process goes down, once; one that retired meanwhile is not there any more.
with begun as (update bellhand.workers w set draining = true where w.id = $1 and not w.draining returning w.name, w.host, w.pid)
insert into bellhand.events (type, actor, data)
  select 'worker_draining', b.name, jsonb_build_object('worker', b.name, 'host', b.host, 'pid', b.pid) from begun b
