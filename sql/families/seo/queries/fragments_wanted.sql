-- The parts of pages $2 of crawl $1 that links point to, with up to 50 pages that have such a link.
select l.to_page, l.fragment, (array_agg(distinct l.from_page))[1:50] as from_pages
  from bellhand_seo.links l
  where l.crawl_id = $1 and l.to_page = any($2::bigint[]) and l.kind = 'a' and l.fragment <> ''
  group by l.to_page, l.fragment
