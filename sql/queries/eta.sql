-- When jobs $1 will start and finish, by bellhand.eta; no row for those that are over.
select i.job, e.*, bellhand.now() as now from unnest($1::bigint[]) i(job) cross join lateral bellhand.eta(i.job) e
