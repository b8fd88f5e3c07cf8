-- Learns from what happened since somebody last did: see learn.sql in functions; one daemon at a time.
select grouped, more, start_held, start_error, finish_held, finish_error from bellhand.learn()
