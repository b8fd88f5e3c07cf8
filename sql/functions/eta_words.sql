-- When a job will be done, in words: ` It should be done in 4 min (3 min to 7 min).`, or nothing where nothing is known.
create or replace function bellhand.eta_words(p_id bigint) returns text language sql stable as $$
  select coalesce((select format(' It should be done in %s (%s to %s).', bellhand.for_people(extract(epoch from e.finishes_at - bellhand.now())::float8),
      bellhand.for_people(extract(epoch from e.finishes_low - bellhand.now())::float8), bellhand.for_people(extract(epoch from e.finishes_high - bellhand.now())::float8))
    from bellhand.eta(p_id) e where e.finishes_at is not null), '')
$$;
