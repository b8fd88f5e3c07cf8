-- Removes vectors that no run has used for half a year; rows that another run holds are left to the next.
delete from bellhand_matching.vectors v using (
  select o.model, o.text_hash from bellhand_matching.vectors o where o.used_at < bellhand.now() - interval '180 days'
  limit 20000 for update skip locked) old
where v.model = old.model and v.text_hash = old.text_hash
