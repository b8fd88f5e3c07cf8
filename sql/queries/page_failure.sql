-- One group of failures, by its fingerprint $1: the last deploy before it was first seen, how many of its jobs stand failed now, what they have in
-- common and how many owners they have (of the newest hundred), the newest of them.
select f.*, bellhand.failures_open(f.fingerprint) as open,
  (select jsonb_build_object('at', d.at, 'version', d.version, 'code', d.code) from bellhand.deploys d where d.at <= f.first_at order by d.at desc limit 1)::text as deploy,
  (select jsonb_agg(to_jsonb(c)) from bellhand.failure_contrast(f.fingerprint, 100) c)::text as contrast,
  (select count(distinct a.owner) from bellhand.jobs_by_id(array(
    select j.job from bellhand.failure_jobs j where j.fingerprint = f.fingerprint order by j.finished_at desc limit 100)) a) as owners,
  array(select j.job from bellhand.failure_jobs j where j.fingerprint = f.fingerprint order by j.finished_at desc limit 20) as ids
from bellhand.failure_groups f where f.fingerprint = $1
