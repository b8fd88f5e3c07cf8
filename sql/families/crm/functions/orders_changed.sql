-- Notes whose orders changed, one row a customer and statement, for the next roll_up; a statement that changes nothing notes nothing.
create or replace function bellhand_crm.orders_changed() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
begin
  case tg_op
    when 'INSERT' then insert into bellhand_crm.order_changes select distinct c.customer_id from changed c;
    when 'DELETE' then insert into bellhand_crm.order_changes select distinct b.customer_id from before b;
    when 'UPDATE' then
      insert into bellhand_crm.order_changes
        select distinct w.who from before b full join changed c using (id)
          cross join lateral (values (b.customer_id), (c.customer_id)) w(who)
          where (b.customer_id, b.ordered_at, b.amount, b.quantity) is distinct from (c.customer_id, c.ordered_at, c.amount, c.quantity)
            and w.who is not null;
    else insert into bellhand_crm.order_changes select f.customer_id from bellhand_crm.customer_figures f;
  end case;
  return null;
end $$;
revoke execute on function bellhand_crm.orders_changed from public;

create or replace trigger orders_inserted after insert on bellhand_crm.orders
  referencing new table as changed for each statement execute function bellhand_crm.orders_changed();
create or replace trigger orders_updated after update on bellhand_crm.orders
  referencing old table as before new table as changed for each statement execute function bellhand_crm.orders_changed();
create or replace trigger orders_deleted after delete on bellhand_crm.orders
  referencing old table as before for each statement execute function bellhand_crm.orders_changed();
create or replace trigger orders_truncated after truncate on bellhand_crm.orders
  for each statement execute function bellhand_crm.orders_changed();
