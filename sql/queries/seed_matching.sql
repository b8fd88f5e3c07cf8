-- The record of matching job $1 (S1-03).
select m.* from bellhand_matching.matching_jobs m where m.job = $1
