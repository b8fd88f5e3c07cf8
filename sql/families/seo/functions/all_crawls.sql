-- Every crawl as it stands, for reading by anybody. Of one that is not complete its job says how: cancelled while it waited or ran, lost with
-- its worker, put off, or so long over that retention has dropped it. A crawl stores none of that, so nothing can forget to write it.
create or replace view bellhand_seo.all_crawls as
  select c.id, c.site_id, c.job_id, c.job_key, c.owner, c.url, c.options, c.started_at, c.pages, c.links, c.errors, c.counters, c.previous_id,
    case when c.state = 'completed' then c.state else coalesce(j.state, 'failed') end as state,
    case when c.state = 'completed' or j.id is null then c.finished_at else j.finished_at end as finished_at,
    case when c.state = 'completed' then null
      when j.id is null then coalesce(c.error, 'its job ended before the crawl was complete, and is not kept any more')
      when j.finished_at is not null then coalesce(j.error, c.error) else c.error end as error
  from bellhand_seo.crawls c
  left join lateral (
    select a.id, a.state, a.finished_at, a.error from bellhand.all_jobs a where a.id = c.job_id and a.key = c.job_key
      order by a.finished_at desc nulls first limit 1) j on c.state <> 'completed';
select bellhand.allow(who, 'select on bellhand_seo.all_crawls') from unnest(array['reader', 'worker']) who;
