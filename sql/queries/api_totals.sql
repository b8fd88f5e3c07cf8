-- About how many jobs there are, live and over, by what Postgres counted as it wrote them.
select coalesce(sum(t.n_live_tup) filter (where t.relname = 'jobs'), 0)::bigint as live,
  coalesce(sum(t.n_live_tup) filter (where t.relname <> 'jobs'), 0)::bigint as over
from pg_stat_all_tables t where t.relid = 'bellhand.jobs'::regclass
  or t.relid in (select p.relid from pg_partition_tree('bellhand.history') p where p.isleaf)
