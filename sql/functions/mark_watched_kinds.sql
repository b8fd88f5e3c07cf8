-- Keeps kinds.watched true to the subscriptions, so that the insert trigger need not look at them for every job.
create or replace function bellhand.mark_watched_kinds() returns trigger language plpgsql as $$
begin
  update bellhand.kinds k set watched = w.watched
    from (select x.name, x.name not like 'notify.%' and exists (
            select from bellhand.subscriptions s where 'late' = any (s.states) and x.name like s.pattern) as watched
          from bellhand.kinds x) w
    where w.name = k.name and w.watched <> k.watched;
  return null;
end $$;

create or replace trigger mark_watched_kinds after insert or update or delete on bellhand.subscriptions
  for each statement execute function bellhand.mark_watched_kinds();
create or replace trigger mark_watched_kinds after insert on bellhand.kinds
  for each statement execute function bellhand.mark_watched_kinds();
