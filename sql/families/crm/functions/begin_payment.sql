-- Writes a payment down before Stripe hears of it, or finds the one with its key, and says what to do: verdict go, wait, paid, declined or bad.
-- The lock on the payment's row makes jobs for the same payment take turns. What was declined or called off is begun anew only by another
-- job, so that no card is tried again by itself. Until Stripe has answered, the PaymentIntent stays the same, whatever jobs ask: it can be charged once.
create or replace function bellhand_crm.begin_payment(
  p_key text, p_customer_id text, p_amount bigint, p_currency text, p_payment_method text, p_return_url text, p_description text,
  p_job_id bigint, p_idempotency_key uuid, out verdict text, out seconds float8, out reason text, out payment bellhand_crm.payments)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  who bellhand_crm.customers;
begin
  select * into who from bellhand_crm.customers c where c.id = p_customer_id;
  if not found then
    verdict := 'bad'; reason := format('there is no customer %s in bellhand_crm.customers', p_customer_id); return;
  end if;
  select * into payment from bellhand_crm.payments p where p.key = p_key for update;
  if not found then
    if who.deleted_at is not null then
      verdict := 'bad'; reason := format('customer %s is deleted', who.id); return;
    elsif coalesce(p_payment_method, who.payment_method) is null then
      verdict := 'bad';
      reason := format('customer %s has no payment method: give paymentMethod, or fill in bellhand_crm.customers.payment_method', who.id);
      return;
    end if;
    insert into bellhand_crm.payments (key, customer_id, amount, currency, payment_customer, payment_method, return_url, description, idempotency_key, job_id)
      values (p_key, who.id, p_amount, p_currency, who.payment_customer, coalesce(p_payment_method, who.payment_method), p_return_url, p_description,
        p_idempotency_key, p_job_id)
      on conflict (key) do nothing;
    select * into strict payment from bellhand_crm.payments p where p.key = p_key for update;
  end if;
  if (payment.customer_id, payment.amount, payment.currency) is distinct from (p_customer_id, p_amount, p_currency) then
    verdict := 'bad';
    reason := format('payment %s is %s %s of customer %s, and this job wants %s %s of customer %s: a key stands for one payment',
      payment.key, payment.amount, payment.currency, payment.customer_id, p_amount, p_currency, p_customer_id);
  elsif payment.state = 'succeeded' then
    verdict := 'paid'; reason := format('paid at %s by job %s', payment.settled_at, payment.job_id);
  elsif payment.job_id <> p_job_id and exists (select from bellhand.jobs j where j.id = payment.job_id) then
    verdict := 'wait'; seconds := 60; reason := format('job %s is at this payment', payment.job_id);
  elsif payment.state not in ('declined', 'failed', 'canceled') then
    verdict := 'go';
    update bellhand_crm.payments p set job_id = p_job_id,
        tries = p.tries + (p.state in ('new', 'confirming') and p.payment_method <> coalesce(p_payment_method, p.payment_method))::int,
        payment_method = case when p.state in ('new', 'confirming') then coalesce(p_payment_method, p.payment_method) else p.payment_method end
      where p.id = payment.id returning p.* into payment;
  elsif payment.state <> 'failed' and payment.job_id = p_job_id then
    verdict := 'declined'; reason := payment.said;
  else
    verdict := 'go';
    update bellhand_crm.payments p set job_id = p_job_id, tries = p.tries + 1, state = 'new', intent_id = null, live = null,
        payment_customer = who.payment_customer, payment_method = coalesce(p_payment_method, who.payment_method, p.payment_method),
        return_url = p_return_url, description = p_description, error_code = null, decline_code = null, said = null, settled_at = null
      where p.id = payment.id returning p.* into payment;
  end if;
end $$;
revoke execute on function bellhand_crm.begin_payment from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.begin_payment');
