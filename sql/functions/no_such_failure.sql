-- Raises the error for a fingerprint that no group of failures has.
create or replace function bellhand.no_such_failure(p_fingerprint text) returns void language plpgsql as $$
begin
  raise exception using errcode = 'BH008', message = format('there is no group of failures %s', to_json(p_fingerprint)),
    detail = 'Nothing has failed so, or retention has removed it; new failures are grouped within half a minute.',
    hint = 'See: select fingerprint, kind, message from bellhand.failure_groups order by last_at desc limit 20';
end $$;
