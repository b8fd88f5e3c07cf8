-- One promotion, with how long until it starts and whether it is over.
select id, subject, body, url, extract(epoch from starts_at - bellhand.now())::float8 as starts_in_seconds,
       ends_at <= bellhand.now() as over
  from bellhand_crm.promotions where id = $1
