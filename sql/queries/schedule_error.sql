-- Notes what is wrong with a schedule that waited for tick $3, so that it shows; the tick is kept, and tried again in five minutes. Nothing, if another
-- daemon fired it meanwhile, or somebody changed it.
update bellhand.schedules set error = $2, again_at = bellhand.now() + interval '5 minutes' where name = $1 and next_at is not distinct from $3
