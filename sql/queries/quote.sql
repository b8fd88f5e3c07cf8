-- What would become of a job if it were enqueued now; nothing is stored.
select bellhand.quote(kind => $1, payload => $2::text::jsonb, unique_key => $3, run_at => $4, priority => $5, attempts_max => $6, timeout_seconds => $7,
  tags => $8::text::jsonb, owner => $9, depends_on => $10, depends_policy => $11, notify => $12::text::jsonb)::text as quote, bellhand.now() as now
