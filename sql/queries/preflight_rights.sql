-- Which tables of the schema this role may not work with.
select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'bellhand' and c.relkind in ('r', 'p')
  and not has_table_privilege(c.oid, 'select, insert, update, delete') order by 1
