-- Businesses by the newest, before id $1 if given, with $2 in name or website and website status $3; $4 of them, of which at most $5 are
-- looked at.
select b.id, b.name, b.website, b.website_status, b.website_http_status, b.website_title, b.website_final_url, b.website_error, b.website_response_seconds,
  b.website_tls_expires_at, b.website_checked_at, b.emails, b.phones, b.socials, b.excluded
from (select * from bellhand_sites.businesses x where ($1::bigint is null or x.id < $1) order by x.id desc limit $5) b
where ($2::text is null or strpos(lower(concat_ws(' ', b.name, b.website)), lower($2)) > 0) and ($3::text is null or b.website_status = $3)
order by b.id desc limit $4
