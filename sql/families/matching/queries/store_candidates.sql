-- Stores what the verifier thinks of pairs of run $1, as [{source, target, confidence, evidence}]; guarded by its epoch $2: no row if it has a later one.
with own as (
  select r.id from bellhand_matching.runs r where r.id = $1 and r.epoch = $2 for share),
stored as (
  insert into bellhand_matching.candidates (run_id, source_id, target_id, confidence, evidence)
    select o.id, c.source, c.target, c.confidence, c.evidence
    from own o, jsonb_to_recordset($3) as c(source bigint, target bigint, confidence real, evidence jsonb)
    on conflict (run_id, source_id, target_id) do update set confidence = excluded.confidence, evidence = excluded.evidence)
select id from own
