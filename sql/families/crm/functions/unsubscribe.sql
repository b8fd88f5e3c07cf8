-- Ends promotional mail to whoever has this token, and says whether anybody has; again is harmless.
create or replace function bellhand_crm.unsubscribe(token uuid)
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare whose text;
begin
  update bellhand_crm.customers c set consent = false where c.unsubscribe_token = token returning lower(c.email) into whose;
  if not found then return false; end if;
  insert into bellhand_crm.suppressions (address, scope, reason)
    select whose, 'promotional', 'unsubscribed' where whose is not null on conflict (address, scope) do nothing;
  return true;
end $$;
revoke execute on function bellhand_crm.unsubscribe from public;
select bellhand.allow('producer', 'execute on function bellhand_crm.unsubscribe');
