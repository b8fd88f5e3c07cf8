-- Has development's demo enqueue one small job a minute. A schedule of nobody's configuration, so that another daemon on this database leaves it.
insert into bellhand.schedules (name, cron, kind, missed) values ('demo-tick', '* * * * *', 'demo.tick', 'skip')
on conflict (name) do update set source = 'sql'
