-- What a kind's own function of ours says that a payload will take ({"steps": 6, ...}), null without one or when the payload makes no
-- sense to it. Only a function of ours that the schema's owner has and that changes nothing is called: the name comes from whoever
-- publishes kinds, and it runs as the owner.
create or replace function bellhand.estimate(p_function text, p_payload jsonb) returns jsonb language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
declare
  f regprocedure := to_regprocedure(p_function || '(jsonb)'); said jsonb;
begin
  if f is null or p_function !~ '^bellhand[a-z_]*\.[a-z_]+$' or not exists (select from pg_proc p
      where p.oid = f and p.proowner = current_user::regrole and p.prorettype = 'jsonb'::regtype and p.provolatile <> 'v') then
    return null;
  end if;
  execute format('select %s($1)', f::regproc) into said using p_payload;
  return case jsonb_typeof(said) when 'object' then said end;
exception when data_exception then
  return null;
end $$;
revoke execute on function bellhand.estimate from public;
select bellhand.allow('worker', 'execute on function bellhand.estimate');
