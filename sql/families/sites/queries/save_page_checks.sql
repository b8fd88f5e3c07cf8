-- Notes the pages $2 ([{url, final_url, status, body_bytes, truncated, seconds}]) that were read for business $1.
insert into bellhand_sites.page_checks as c
    (business_id, url, final_url, http_status, body_bytes, truncated, response_seconds)
  select $1, p.url, p.final_url, p.status, p.body_bytes, p.truncated, p.seconds
    from jsonb_to_recordset($2::jsonb) p(url text, final_url text, status integer, body_bytes integer, truncated boolean, seconds float8)
  on conflict (business_id, url_hash) do update
    set final_url = excluded.final_url, http_status = excluded.http_status, body_bytes = excluded.body_bytes,
        truncated = excluded.truncated, response_seconds = excluded.response_seconds, checked_at = bellhand.now()
