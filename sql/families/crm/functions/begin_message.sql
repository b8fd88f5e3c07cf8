-- Decides whether a mail may go out now and writes it into the ledger before it does: verdict go, sent (it was), wait, no, or bad.
-- The lock on the policy's row makes everybody take turns, so limits hold and of two attempts one goes. A row left `sending` by an
-- attempt or a job that is gone may have been sent: it becomes unsure and is not sent again. p_attempt tells it from one that this
-- very attempt began, and asks about once more because the answer was lost.
create or replace function bellhand_crm.begin_message(
  p_customer_id text, p_purpose text, p_key text, p_promotional boolean, p_patient boolean, p_subject text, p_job_id bigint,
  p_attempt uuid,
  out verdict text, out seconds float8, out reason text, out message_id bigint, out message_key uuid, out address text, out at timestamptz)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  rules bellhand_crm.policy;
  who bellhand_crm.customers;
  old bellhand_crm.messages;
  held text;
begin
  select * into strict rules from bellhand_crm.policy for update;
  at := bellhand.now();
  select * into who from bellhand_crm.customers c where c.id = p_customer_id;
  select * into old from bellhand_crm.messages m where (m.customer_id, m.purpose, m.key) = (p_customer_id, p_purpose, p_key);
  message_id := old.id;
  if old.state = 'sending' and old.attempt = p_attempt then
    verdict := 'go'; seconds := 0; message_key := old.message_key; address := old.address; return;
  end if;
  if old.state = 'sending' and old.job_id <> p_job_id and exists (select from bellhand.jobs j where j.id = old.job_id) then
    verdict := 'wait'; seconds := 60; reason := format('job %s is sending this mail', old.job_id); return;
  elsif old.state in ('sending', 'unsure') then
    update bellhand_crm.messages m set state = 'unsure', settled_at = coalesce(settled_at, at),
        said = coalesce(said, 'the attempt that sent it ended before the answer was written down') where m.id = old.id;
    verdict := 'bad';
    reason := format('it may have been sent already, with Message-ID <%s@...>: ask the mail server''s log; if it was not, '
      'select bellhand_crm.send_again(%s) and retry the job', old.message_key, old.id);
    return;
  elsif old.state = 'sent' then
    verdict := 'sent'; reason := format('sent at %s by job %s', old.settled_at, old.job_id); return;
  elsif old.state = 'bounced' then
    verdict := 'bad'; reason := 'it was refused for good: ' || old.said; return;
  end if;
  if who.deleted_at is not null then
    verdict := 'no'; reason := format('customer %s is deleted', who.id); return;
  elsif who.email is null then
    verdict := 'bad'; reason := format('customer %s has no e-mail address', who.id); return;
  end if;
  select format('%s is suppressed: %s', s.address, s.reason) into held from bellhand_crm.suppressions s
    where s.address = lower(who.email) and (s.scope = 'all' or p_promotional) order by s.scope limit 1;
  if found then
    verdict := 'no'; reason := held; return;
  elsif p_promotional and not who.consent then
    verdict := 'no'; reason := format('customer %s has not agreed to promotional mail', who.id); return;
  end if;
  verdict := 'wait';
  if p_promotional and rules.unsubscribe_url is null then
    seconds := 300; reason := 'promotional mail needs unsubscribe_url in bellhand_crm.policy'; return;
  end if;
  if p_patient then
    seconds := bellhand_crm.quiet_seconds(at, who.time_zone, rules.quiet_from, rules.quiet_until);
    if seconds > 0 then
      reason := format('quiet hours in %s until %s', who.time_zone, rules.quiet_until); return;
    end if;
    -- Spread over an hour: those that wait must not all come back for one free place.
    select extract(epoch from m.begun_at + interval '1 hour' - at) + p_job_id % 3600 into seconds from bellhand_crm.messages m
      where m.begun_at > at - interval '1 hour' order by m.begun_at desc offset rules.mails_per_hour_max - 1 limit 1;
    if found then
      reason := format('%s mails an hour are the most (mails_per_hour_max)', rules.mails_per_hour_max); return;
    end if;
  end if;
  if p_promotional then
    select extract(epoch from m.begun_at + interval '1 day' - at) into seconds from bellhand_crm.messages m
      where lower(m.address) = lower(who.email) and m.promotional and m.begun_at > at - interval '1 day' and m.id is distinct from old.id
      order by m.begun_at desc offset rules.promotional_per_day_max - 1 limit 1;
    if found then
      reason := format('%s promotional mails a day to one address are the most (promotional_per_day_max)', rules.promotional_per_day_max); return;
    end if;
  end if;
  insert into bellhand_crm.messages as m (customer_id, purpose, key, promotional, address, subject, job_id, attempt, begun_at)
    values (p_customer_id, p_purpose, p_key, p_promotional, who.email, p_subject, p_job_id, p_attempt, at)
    on conflict (customer_id, purpose, key) do update set state = 'sending', address = excluded.address, subject = excluded.subject,
      job_id = excluded.job_id, attempt = excluded.attempt, begun_at = excluded.begun_at, settled_at = null, said = null
    returning m.id, m.message_key, m.address into begin_message.message_id, begin_message.message_key, begin_message.address;
  verdict := 'go'; seconds := 0;
end $$;
revoke execute on function bellhand_crm.begin_message from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.begin_message');
