-- Keeps the answer $3 of service $1 to the question $2.
insert into bellhand.service_cache (service, key, answer, fetched_at) values ($1, $2, $3, bellhand.now())
  on conflict (service, key) do update set answer = excluded.answer, fetched_at = excluded.fetched_at
