-- The crawl of a job, begun with its start page at the first attempt and taken over at a later one; no row if a later attempt has
-- it already. From here on only the attempt with this epoch writes: see store_pages. One that failed and is tried again asks
-- once more for pages that brought no answer, or one that passes.
create or replace function bellhand_seo.begin_crawl(
  p_site bigint, p_job bigint, p_job_key uuid, p_epoch bigint, p_owner text, p_url text, p_url_key uuid, p_options jsonb)
returns setof bellhand_seo.crawls language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  crawl bellhand_seo.crawls;
  had_failed boolean := exists (select from bellhand_seo.crawls c where c.job_key = p_job_key and c.state = 'failed');
begin
  insert into bellhand_seo.crawls as old (site_id, job_id, job_key, epoch, owner, url, options, previous_id)
    values (p_site, p_job, p_job_key, p_epoch, p_owner, p_url, p_options,
      (select max(c.id) from bellhand_seo.crawls c where c.site_id = p_site and c.state = 'completed'))
    on conflict (job_key) do update set epoch = excluded.epoch, state = 'unfinished', error = null
      where old.epoch < excluded.epoch
    returning * into crawl;
  if crawl.id is null then return; end if;
  insert into bellhand_seo.pages (crawl_id, url, url_key, role, depth) values (crawl.id, crawl.url, p_url_key, 'page', 0)
    on conflict (crawl_id, url_key) do nothing;
  if had_failed then
    -- Not 0 attempts: the page has been counted.
    update bellhand_seo.pages p set state = 'waiting', attempts = case when p.state = 'robots' then 0 else 1 end
      where p.crawl_id = crawl.id and p.role = 'page' and (p.state = 'robots' and p.depth = 0
        or p.state = 'done' and (p.error_code is not null or p.status in (408, 425, 429, 500, 502, 503, 504)));
  end if;
  return next crawl;
end $$;
revoke execute on function bellhand_seo.begin_crawl from public;
select bellhand.allow('worker', 'execute on function bellhand_seo.begin_crawl');
