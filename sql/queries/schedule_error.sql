-- Notes what is wrong with a schedule, so that it shows; it is looked at again in an hour.
update bellhand.schedules set error = $2, next_at = bellhand.now() + interval '1 hour' where name = $1
