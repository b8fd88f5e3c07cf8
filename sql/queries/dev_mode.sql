-- What the database is for (meta row `mode`), and whether anything was ever enqueued in it.
select (select m.value from bellhand.meta m where m.name = 'mode') as mode,
  exists (select from bellhand.jobs) or exists (select from bellhand.history) as used
