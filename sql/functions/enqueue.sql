-- Enqueues one job in the caller's transaction and returns it; with a unique key that a live job of the kind has, returns
-- that one and created = false. The unique index decides, never a look beforehand.
create or replace function bellhand.enqueue(
  kind text, payload jsonb default '{}', unique_key text default null, run_at timestamptz default null, priority integer default null,
  attempts_max integer default null, timeout_seconds float8 default null, tags jsonb default null, owner text default null,
  depends_on bigint[] default null, depends_policy text default 'cancel', notify jsonb default null, source text default 'sql',
  out id bigint, out key uuid, out created boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  if enqueue.payload is null or enqueue.kind is null then
    raise exception using errcode = 'BH005', message = 'kind and payload must not be null',
      hint = 'Leave the payload out, or give ''{}''.';
  end if;
  -- A number that no column could hold is out of range like any other.
  if enqueue.priority not between 1 and 10 then
    perform bellhand.refuse_priority(greatest(least(enqueue.priority, 32767), -32768)::smallint);
  end if;
  for attempt in 1 .. 10 loop
    insert into bellhand.jobs as j (kind, payload, priority, run_at, attempts_max, timeout_seconds, unique_key, owner, tags, depends_on,
        depends_policy, notify, source)
      values (enqueue.kind, enqueue.payload, coalesce(enqueue.priority, (select k.priority from bellhand.kinds k where k.name = enqueue.kind), 5),
        coalesce(enqueue.run_at, bellhand.now()), enqueue.attempts_max, enqueue.timeout_seconds, enqueue.unique_key, enqueue.owner,
        enqueue.tags, nullif(enqueue.depends_on, '{}'), coalesce(enqueue.depends_policy, 'cancel'), enqueue.notify, enqueue.source)
      on conflict (kind, unique_key) where unique_key is not null do nothing
      returning j.id, j.key, true into enqueue.id, enqueue.key, enqueue.created;
    if found then return; end if;
    select j.id, j.key, false into enqueue.id, enqueue.key, enqueue.created
      from bellhand.jobs j where j.kind = enqueue.kind and j.unique_key = enqueue.unique_key;
    if found then
      if enqueue.source <> 'quote' then perform nextval('bellhand.duplicates'); end if;
      return;
    end if;
    -- It finished between the two statements: the key is free again.
  end loop;
  raise exception using errcode = 'BH005', message = format('could not enqueue: unique key %s is held by a job this transaction cannot see', to_json(enqueue.unique_key)),
    hint = 'Enqueue at READ COMMITTED, or again in a new transaction.';
end $$;
revoke execute on function bellhand.enqueue from public;
select bellhand.allow(who, 'execute on function bellhand.enqueue') from unnest(array['producer', 'worker']) who;
