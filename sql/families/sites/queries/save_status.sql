-- Writes how the website of business $1 fares ($3, as status.Status), notes what changed since the last look, and returns the
-- days its certificate has left. Guarded by the website that was checked, $2: no row if it changed meanwhile.
with old as (
  select * from bellhand_sites.businesses where id = $1 and website = $2 for update
), now_seen as (
  select * from jsonb_to_record($3::jsonb) n(
    word text, final_url text, http_status integer, redirects text[], title text, ip inet, response_seconds float8,
    tls_expires float8, addresses inet[], mail text, mail_hosts text[], parked text, soft_404 boolean, technologies text[],
    needs_browser boolean, error text)
), changed as (
  insert into bellhand_sites.status_changes
      (business_id, website, status_before, status, http_status_before, http_status, host_before, host, error)
    select o.id, o.website, o.website_status, n.word, o.website_http_status, n.http_status,
           bellhand_sites.host_of(o.website_final_url), bellhand_sites.host_of(n.final_url), n.error
      from old o cross join now_seen n
      where (o.website_status, o.website_http_status, bellhand_sites.host_of(o.website_final_url))
        is distinct from (n.word, n.http_status, bellhand_sites.host_of(n.final_url))
)
update bellhand_sites.businesses b
  set website_status = n.word, website_final_url = n.final_url, website_http_status = n.http_status,
      website_redirects = n.redirects, website_title = n.title, website_ip = n.ip,
      website_response_seconds = n.response_seconds, website_tls_expires_at = to_timestamp(n.tls_expires),
      website_addresses = n.addresses, website_mail = n.mail, website_mail_hosts = n.mail_hosts, website_parked = n.parked,
      website_soft_404 = n.soft_404, website_technologies = n.technologies, website_needs_browser = n.needs_browser,
      website_error = n.error, website_checked_at = bellhand.now()
  from old o cross join now_seen n
  where b.id = o.id
  returning b.id, bellhand_sites.tls_days_left(b.website_tls_expires_at) as tls_days_left
