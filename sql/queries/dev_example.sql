-- What `bellhand dev` suggests to type into psql.
insert into bellhand.jobs (kind, payload) values ('demo.greet', '{"name": "Ada"}');
