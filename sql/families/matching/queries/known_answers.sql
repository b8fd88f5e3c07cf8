-- The answers that are known to the questions $1 (hashes).
select question, answer::text as answer from bellhand_matching.answers where question = any ($1::bytea[])
