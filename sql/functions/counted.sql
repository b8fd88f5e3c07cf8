-- A number with its noun: `1 job`, `2 jobs`.
create or replace function bellhand.counted(p_count bigint, p_noun text) returns text language sql immutable parallel safe
return p_count || ' ' || p_noun || case when p_count = 1 then '' else 's' end;
