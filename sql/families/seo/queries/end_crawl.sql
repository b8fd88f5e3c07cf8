-- Marks crawl $1 as over with state $3 and error $4, unless a later attempt than $2 has it; returns it.
update bellhand_seo.crawls set state = $3, error = $4, finished_at = bellhand.now()
  where id = $1 and epoch = $2
  returning id, pages, links, errors, previous_id
