-- Refuses the name of a channel that does not exist.
create or replace function bellhand.no_such_channel(p_channel text) returns void language plpgsql as $$
begin
  if not exists (select from bellhand.channels c where c.name = p_channel) then
    raise exception using errcode = 'BH008', message = format('there is no channel %s', to_json(p_channel)),
      hint = 'See them all: select * from bellhand.channel_status';
  end if;
end $$;
