-- Lets a mail go out that may have been sent or was refused, for an operator who knows better; a suppression of its address stays.
create or replace function bellhand_crm.send_again(message_id bigint)
returns bellhand_crm.messages language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare message bellhand_crm.messages;
begin
  update bellhand_crm.messages m set state = 'deferred' where m.id = message_id and m.state in ('unsure', 'bounced') returning * into message;
  if not found then
    raise exception 'there is no unsure or bounced message % in bellhand_crm.messages', message_id;
  end if;
  return message;
end $$;
revoke execute on function bellhand_crm.send_again from public;
select bellhand.allow(who, 'execute on function bellhand_crm.send_again') from unnest(array['producer', 'worker']) who;
