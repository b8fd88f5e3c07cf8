-- The groups of failures, for reading by anybody: who muted one, and whether that still holds.
create or replace view bellhand.failure_groups as
  select f.fingerprint, f.kind, f.error_class, f.message, f.example, f.jobs, f.first_at, f.last_at,
    coalesce(f.muted_until > bellhand.now(), false) as muted, f.muted_until, f.muted_by, f.muted_reason,
    f.muted_until_deploy
  from bellhand.failures f;
select bellhand.allow(who, 'select on bellhand.failure_groups') from unnest(array['reader', 'worker']) who;
