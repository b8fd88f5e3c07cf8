-- Makes the channels ([{name, kind, digest_seconds, digest_max}]) and subscriptions ([{name, channel, on, kinds, late_seconds}]) of the
-- configuration the ones in force; those it no longer names are deleted, those made by SQL are left alone. Addresses and keys stay
-- with the daemon. Writes only what changed.
create or replace function bellhand.publish_channels(p_channels jsonb, p_subscriptions jsonb) returns void language plpgsql as $$
begin
  delete from bellhand.channels c where c.source = 'config' and c.name not in (select k ->> 'name' from jsonb_array_elements(p_channels) k);
  insert into bellhand.channels as old (name, kind, digest_seconds, digest_max, source)
    select k.name, k.kind, k.digest_seconds, k.digest_max, 'config'
    from jsonb_to_recordset(p_channels) k(name text, kind text, digest_seconds integer, digest_max integer) order by k.name
    on conflict (name) do update set kind = excluded.kind, digest_seconds = excluded.digest_seconds, digest_max = excluded.digest_max,
      address = null, source = 'config'
    where (old.kind, old.digest_seconds, old.digest_max, old.source) is distinct from (excluded.kind, excluded.digest_seconds, excluded.digest_max, 'config');
  delete from bellhand.subscriptions s where s.source = 'config' and s.name not in (select k ->> 'name' from jsonb_array_elements(p_subscriptions) k);
  insert into bellhand.subscriptions as old (name, channel, states, kinds, late_seconds, source)
    select k ->> 'name', k ->> 'channel', array(select jsonb_array_elements_text(k -> 'on')), k ->> 'kinds', (k ->> 'late_seconds')::float8, 'config'
    from jsonb_array_elements(p_subscriptions) k order by 1
    on conflict (name) do update set channel = excluded.channel, states = excluded.states, kinds = excluded.kinds,
      late_seconds = excluded.late_seconds, source = 'config'
    where (old.channel, old.states, old.kinds, old.late_seconds, old.source)
      is distinct from (excluded.channel, excluded.states, excluded.kinds, excluded.late_seconds, 'config');
end $$;
