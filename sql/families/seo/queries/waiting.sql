-- The next $4 addresses of role $2 that crawl $1 waits for, in the frontier's order; without $3 only those asked for before.
select id, url, depth, attempts from bellhand_seo.pages
  where crawl_id = $1 and state = 'waiting' and role = $2 and ($3 or attempts > 0)
  order by attempts, depth, id limit $4
