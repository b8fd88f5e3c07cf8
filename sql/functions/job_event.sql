-- What is told about a job: the body of a webhook, as Standard Webhooks has it (type, timestamp, data). Results over 16 kB and
-- errors over 2,000 characters are left out or cut: who needs them asks for the job by its key. In an error what looks like a
-- secret is hidden, as over HTTP: mails, chats and receivers are further away still. The cut comes after
-- the hiding: half a secret does not look like one.
create or replace function bellhand.job_event(
  p_told text, p_at timestamptz, p_id bigint, p_key uuid, p_kind text, p_owner text, p_tags jsonb, p_created_at timestamptz,
  p_started_at timestamptz, p_attempts integer, p_partial boolean, p_result jsonb, p_error text)
returns jsonb language sql stable as $$
  select jsonb_build_object('type', 'job.' || p_told, 'timestamp', bellhand.rfc3339(p_at), 'data', jsonb_strip_nulls(jsonb_build_object(
      'id', p_id, 'key', p_key, 'kind', p_kind, 'state', case p_told when 'partial' then 'completed' else p_told end, 'partial', p_partial,
      'owner', p_owner, 'tags', p_tags, 'created_at', bellhand.rfc3339(p_created_at), 'started_at', bellhand.rfc3339(p_started_at), 'failed_attempts', p_attempts,
      'error', right(bellhand.without_secrets(right(p_error, 4000)), 2000), 'result_left_out', case when octet_length(p_result::text) > 16384 then true end))
    -- Put in last: nulls inside a result are the handler's own.
    || case when p_result is not null and octet_length(p_result::text) <= 16384 then jsonb_build_object('result', p_result) else '{}' end)
$$;
