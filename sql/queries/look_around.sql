-- Hears what changed and puts parked jobs of kinds $1 back; dependencies are swept from transaction $2 on.
select lanes::text as lanes, paused_kinds, next_tick_seconds, bound, unparked from bellhand.look_around($1, $2)
