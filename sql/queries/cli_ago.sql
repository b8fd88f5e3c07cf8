-- The time $1 seconds ago, by the database's clock.
select bellhand.now() - make_interval(secs => $1)
