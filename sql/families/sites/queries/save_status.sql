-- Writes how the website of business $1 fares; guarded by the website that was checked, $2: no row if it changed meanwhile.
update bellhand_sites.businesses
  set website_status = $3, website_final_url = $4, website_http_status = $5, website_redirects = $6, website_title = $7,
      website_ip = $8::text::inet, website_response_seconds = $9, website_tls_expires_at = to_timestamp($10::float8),
      website_error = $11, website_checked_at = bellhand.now()
  where id = $1 and website = $2
  returning id
