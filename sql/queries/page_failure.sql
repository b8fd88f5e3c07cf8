-- One group of failures, by its fingerprint $1: how many of its jobs stand failed now, what they have in common (of a hundred), the newest of them.
select f.*, bellhand.failures_open(f.fingerprint) as open,
  (select jsonb_agg(to_jsonb(c)) from bellhand.failure_contrast(f.fingerprint, 100) c)::text as contrast,
  array(select j.job from bellhand.failure_jobs j where j.fingerprint = f.fingerprint order by j.finished_at desc limit 20) as ids
from bellhand.failure_groups f where f.fingerprint = $1
