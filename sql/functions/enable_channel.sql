-- Lets deliveries to a channel go out again, as if it had never failed.
create or replace function bellhand.enable_channel(p_name text) returns void language plpgsql as $$
begin
  perform bellhand.no_such_channel(p_name);
  update bellhand.channels c set disabled_at = null, disabled_reason = null, failing_since = null, failures = 0, retry_at = null, last_error = null where c.name = p_name;
  insert into bellhand.events (type, data) values ('channel_enabled', jsonb_build_object('channel', p_name));
end $$;
