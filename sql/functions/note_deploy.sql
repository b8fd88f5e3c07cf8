-- Writes down which code worker p_worker runs (a digest of its handlers' sources), and that it was deployed if that is news: whether it was.
-- It is not where a live worker runs the same, as when one of many is started again, nor where the last deploy of the same kinds
-- was of it. Guard: the table's lock, so that daemons that enter together write one row. The newest thousand are kept.
create or replace function bellhand.note_deploy(p_worker uuid, p_code text) returns boolean language plpgsql as $$
declare
  w bellhand.workers; digest text; last bellhand.deploys; live interval := interval '1 minute';
begin
  update bellhand.workers x set code = p_code where x.id = p_worker returning * into w;
  if not found then return false; end if;
  digest := md5((select string_agg(k, ',' order by k) from unnest(w.kinds) k));
  lock table bellhand.deploys in share row exclusive mode;
  select * into last from bellhand.deploys d where d.serves = digest order by d.id desc limit 1;
  if (last.version, last.code) is not distinct from (w.version, w.code)
    or exists (select from bellhand.workers o where o.id <> w.id and (o.version, o.code) = (w.version, w.code) and o.kinds <@ w.kinds and o.kinds @> w.kinds
      and o.beat > bellhand.now() - live)
  then
    return false;
  end if;
  insert into bellhand.deploys (version, code, serves, actor) values (w.version, w.code, digest, w.name);
  delete from bellhand.deploys d where d.id <= (select max(x.id) from bellhand.deploys x) - 1000;
  return true;
end $$;
