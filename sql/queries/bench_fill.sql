-- Inserts $1 jobs that do nothing, in one statement through the trigger.
insert into bellhand.jobs (kind, payload) select 'bench.nothing', jsonb_build_object('n', g, 'text', repeat('x', 80)) from generate_series(1, $1::integer) g
