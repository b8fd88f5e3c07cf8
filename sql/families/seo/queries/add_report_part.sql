-- Appends part $2, $3, to report $1. A report that another attempt has taken away refuses it.
with part as (
  insert into bellhand_seo.report_parts (report_id, place, body) values ($1, $2, $3)
)
update bellhand_seo.reports set body_bytes = body_bytes + octet_length($3) where id = $1
