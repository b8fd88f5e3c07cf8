-- The site that starts at this address, entered if there is none; two calls at once agree on one row, by an advisory lock.
create or replace function bellhand_seo.site_of(p_url text, p_owner text)
returns bigint language plpgsql set search_path = pg_catalog, pg_temp as $$
declare found_id bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('bellhand_seo.site_of ' || p_url, 0));
  select s.id into found_id from bellhand_seo.sites s
    where s.url = p_url and s.owner is not distinct from p_owner order by s.id limit 1;
  if found_id is null then
    insert into bellhand_seo.sites (url, owner) values (p_url, p_owner) returning id into found_id;
  end if;
  return found_id;
end $$;
revoke execute on function bellhand_seo.site_of from public;
select bellhand.allow('worker', 'execute on function bellhand_seo.site_of');
