-- What would become of a job of kind $1 with payload $2, unique key $3, at $4, of priority $5, of owner $6; nothing is stored.
select bellhand.quote(kind => $1, payload => $2::text::jsonb, unique_key => $3, run_at => $4, priority => $5, owner => $6)::text as quote
