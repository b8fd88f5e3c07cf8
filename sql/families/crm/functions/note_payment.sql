-- Writes each change of a payment into its events.
create or replace function bellhand_crm.note_payment()
returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' or (new.state, new.tries, new.said) is distinct from (old.state, old.tries, old.said) then
    insert into bellhand_crm.payment_events (payment_id, state, tries, intent_id, said, job_id)
      values (new.id, new.state, new.tries, new.intent_id, new.said, new.job_id);
  end if;
  return null;
end $$;
create or replace trigger note_payment after insert or update on bellhand_crm.payments
  for each row execute function bellhand_crm.note_payment();
