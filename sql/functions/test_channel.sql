-- Enqueues a message that says that a channel works, and returns the job that delivers it.
create or replace function bellhand.test_channel(p_name text) returns bigint language plpgsql as $$
declare
  made bigint;
begin
  perform bellhand.no_such_channel(p_name);
  insert into bellhand.jobs (kind, payload, source, tags)
    select 'notify.' || c.kind, jsonb_build_object('to', c.name, 'event', jsonb_build_object('type', 'channel.test', 'timestamp', bellhand.rfc3339(bellhand.now()),
      'data', jsonb_build_object('channel', c.name))), 'notify', jsonb_build_object('to', c.name)
    from bellhand.channels c where c.name = p_name returning id into made;
  return made;
end $$;
