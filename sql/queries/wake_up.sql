-- Says that nobody sleeps, unless a worker fell asleep after token $1.
select bellhand.wake_up($1)
