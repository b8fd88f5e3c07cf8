-- A deploy ends the mutes that were to last until the next one: what still fails with the new code is shown again.
create or replace function bellhand.deploy_unmutes() returns trigger language plpgsql as $$
begin
  with ended as (
    update bellhand.failures f set muted_until = null, muted_reason = null, muted_by = null, muted_until_deploy = false where f.muted_until_deploy returning f.fingerprint)
  insert into bellhand.events (type, actor, data)
    select 'failure_unmuted', 'bellhand', jsonb_build_object('failure', e.fingerprint, 'reason', 'a deploy') from ended e;
  return null;
end $$;
create or replace trigger deploy_unmutes after insert on bellhand.deploys for each statement execute function bellhand.deploy_unmutes();
