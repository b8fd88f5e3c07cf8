-- Writes a refund down before Stripe hears of it, or finds the one with its key, and says what to do: verdict go, wait, done or bad; `again`: it
-- may have been asked for before. The lock on the payment's row makes its refunds take turns, so that together they are never more than it.
create or replace function bellhand_crm.begin_refund(
  p_key text, p_payment_key text, p_amount bigint, p_job_id bigint, p_idempotency_key uuid,
  out verdict text, out seconds float8, out reason text, out again boolean, out intent_id text, out refund bellhand_crm.refunds)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  p bellhand_crm.payments;
  remainder bigint;
begin
  select * into p from bellhand_crm.payments x where x.key = p_payment_key for update;
  if p.state is distinct from 'succeeded' then
    verdict := 'bad';
    reason := case when p.id is null then format('there is no payment %s in bellhand_crm.payments', p_payment_key)
      else format('payment %s is %s: only what was paid can be given back', p.key, p.state) end;
    return;
  end if;
  select * into refund from bellhand_crm.refunds r where r.key = p_key for update;
  again := found;
  if again and (refund.payment_id <> p.id or refund.amount <> p_amount) then
    verdict := 'bad';
    reason := format('refund %s is %s of payment %s, and this job wants %s of payment %s: a key stands for one refund', p_key, refund.amount,
      (select x.key from bellhand_crm.payments x where x.id = refund.payment_id), coalesce(p_amount::text, 'the rest'), p.key);
    return;
  elsif refund.state in ('pending', 'succeeded') then
    verdict := 'done'; reason := format('given back at %s by job %s', refund.settled_at, refund.job_id); return;
  elsif refund.job_id <> p_job_id and exists (select from bellhand.jobs j where j.id = refund.job_id) then
    verdict := 'wait'; seconds := 60; reason := format('job %s is at this refund', refund.job_id); return;
  end if;
  intent_id := p.intent_id;
  verdict := 'go';
  if refund.state = 'new' then
    update bellhand_crm.refunds r set job_id = p_job_id where r.id = refund.id returning r.* into refund;
    return;
  end if;
  select p.amount - coalesce(sum(r.amount), 0) into remainder from bellhand_crm.refunds r
    where r.payment_id = p.id and r.state <> 'failed';
  if coalesce(p_amount, remainder) not between 1 and remainder then
    verdict := 'bad'; reason := format('%s of payment %s is left to give back', remainder, p.key); return;
  end if;
  -- One that Stripe refused is asked for anew, with another key.
  insert into bellhand_crm.refunds as r (payment_id, key, amount, idempotency_key, job_id)
    values (p.id, p_key, coalesce(p_amount, remainder), p_idempotency_key, p_job_id)
    on conflict (key) do update set amount = excluded.amount, job_id = excluded.job_id, state = 'new', said = null, settled_at = null, tries = r.tries + 1
      where r.payment_id = excluded.payment_id
    returning r.* into refund;
  if refund.id is null then
    verdict := 'bad'; reason := format('refund %s is one of another payment: a key stands for one refund', p_key);
  end if;
end $$;
revoke execute on function bellhand_crm.begin_refund from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.begin_refund');
