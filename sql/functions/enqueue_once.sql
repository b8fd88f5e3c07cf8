-- Enqueues jobs ([{...}] as enqueue_many takes them), all or none, in order. With p_key the request happens once in 24 hours: the same
-- caller gets the jobs of the first time again, and is refused if it was another request (p_fingerprint). The lock keeps two of the
-- same moment apart; what was refused is forgotten with its transaction, so it may be corrected and sent with the same key.
-- An error says in its COLUMN which job it is about, counted from 1.
create or replace function bellhand.enqueue_once(p_jobs jsonb, p_source text, p_caller text, p_key text, p_fingerprint bytea)
returns table (ordinal bigint, id bigint, key uuid, created boolean, replayed boolean) language plpgsql as $$
#variable_conflict use_column
declare
  before bellhand.idempotency; one jsonb; made jsonb := '[]'; place bigint := 0; state text; said text; why text; fix text;
  moment timestamptz := bellhand.now();
begin
  if p_key is not null then
    if not pg_try_advisory_xact_lock(hashtextextended(p_caller || ' ' || p_key, 7700)) then
      raise exception using errcode = 'BH009', message = 'a request with this Idempotency-Key is under way';
    end if;
    select * into before from bellhand.idempotency i where i.caller = p_caller and i.key = p_key and i.at > moment - interval '24 hours';
    if found then
      if before.fingerprint <> p_fingerprint then
        raise exception using errcode = 'BH010', message = 'this Idempotency-Key came with another request before';
      end if;
      return query select o.place, (o.job ->> 'id')::bigint, (o.job ->> 'key')::uuid, (o.job ->> 'created')::boolean, true
        from jsonb_array_elements(before.jobs) with ordinality o(job, place) order by o.place;
      return;
    end if;
    delete from bellhand.idempotency i where (i.caller, i.key) = (p_caller, p_key) or i.ctid = any (array(
      select x.ctid from bellhand.idempotency x where x.at <= moment - interval '24 hours' order by x.at limit 100 for update skip locked));
  end if;
  begin
    for one in select jsonb_array_elements(p_jobs) loop
      place := place + 1;
      made := made || (select jsonb_agg(jsonb_build_object('id', e.id, 'key', e.key, 'created', e.created))
                       from bellhand.enqueue_many(jsonb_build_array(one), p_source) e);
    end loop;
  exception when others then
    get stacked diagnostics state = returned_sqlstate, said = message_text, why = pg_exception_detail, fix = pg_exception_hint;
    raise exception using errcode = state, message = said, detail = why, hint = fix, column = place::text;
  end;
  if p_key is not null then
    insert into bellhand.idempotency (caller, key, fingerprint, jobs, at) values (p_caller, p_key, p_fingerprint, made, moment);
  end if;
  return query select o.place, (o.job ->> 'id')::bigint, (o.job ->> 'key')::uuid, (o.job ->> 'created')::boolean, false
    from jsonb_array_elements(made) with ordinality o(job, place) order by o.place;
end $$;
