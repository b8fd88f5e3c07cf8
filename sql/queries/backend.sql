-- The server process that answers, to see whether a pooler gives us another one each time.
select pg_backend_pid()
