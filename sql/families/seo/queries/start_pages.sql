-- Where crawl $1 starts: its start page first, then what that one redirects to.
select url, redirect_to from bellhand_seo.pages where crawl_id = $1 and depth = 0 and role = 'page' order by id
