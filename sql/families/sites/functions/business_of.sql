-- The business with this website, entered if there is none; two calls at once agree on one row, by an advisory lock.
-- What a job enters by itself has auto_check off, or its own kind would be enqueued a second time.
create or replace function bellhand_sites.business_of(url text)
returns bigint language plpgsql set search_path = pg_catalog, pg_temp as $$
declare found_id bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('bellhand_sites.business_of ' || url, 0));
  select b.id into found_id from bellhand_sites.businesses b where b.website = url order by b.id limit 1;
  if found_id is null then
    insert into bellhand_sites.businesses (website, auto_check) values (url, false) returning id into found_id;
  end if;
  return found_id;
end $$;
revoke execute on function bellhand_sites.business_of from public;
select bellhand.allow('worker', 'execute on function bellhand_sites.business_of');
