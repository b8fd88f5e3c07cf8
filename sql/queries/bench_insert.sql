-- One job that does nothing, as an app would insert it.
insert into bellhand.jobs (kind) values ('bench.nothing')
