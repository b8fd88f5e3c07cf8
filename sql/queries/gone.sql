-- What is known of job $1, with key $2 where that was named, which is gone; and up to $5 jobs that are there with an id between $3 and
-- $4 (ranges), the newest of each: what somebody may have meant. Each range is found by an index on the id.
select bellhand.tombstone($1, $2) as tombstone,
  exists (select from bellhand.tombstones t where t.job = $1 and ($2::uuid is null or t.key = $2)) as purged, array(
  select format('%s (%s, %s)', a.id, a.kind, a.state) from bellhand.jobs_by_id(array(
    select r.id from unnest($3::bigint[], $4::bigint[]) u(low, high) cross join lateral (
      (select j.id from bellhand.jobs j where j.id between u.low and u.high order by j.id desc limit $5)
      union all
      (select h.id from bellhand.history h where h.id between u.low and u.high order by h.id desc limit $5)) r
    where r.id <> $1 order by r.id limit $5)) a order by a.id) as near
