-- How large those of the tables $1 are that exist, as far as the last analyze knows.
select t.name, c.reltuples::bigint as rows, pg_total_relation_size(c.oid) as bytes
from unnest($1::text[]) t(name) join pg_class c on c.oid = to_regclass(t.name)
