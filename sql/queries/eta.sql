-- When jobs $1 will start and finish, by bellhand.etas; no row for those that are over.
select e.*, bellhand.now() as now from bellhand.etas($1) e
