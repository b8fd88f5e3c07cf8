-- Keeps a report of a job, whole or not at all, in place of what an earlier attempt has kept; of each format the newest `kept` stay. Returns its id.
create or replace function bellhand_crm.save_report(p_job_id bigint, p_format text, bodies bytea[], kept integer)
returns bigint language plpgsql set search_path = pg_catalog, pg_temp as $$
declare report bigint;
begin
  delete from bellhand_crm.reports r where r.job_id = p_job_id and r.format = p_format;
  insert into bellhand_crm.reports (job_id, format, body_bytes)
    select p_job_id, p_format, coalesce(sum(octet_length(b)), 0) from unnest(bodies) b returning id into report;
  insert into bellhand_crm.report_parts (report_id, place, body)
    select report, place - 1, body from unnest(bodies) with ordinality as b(body, place);
  delete from bellhand_crm.reports r
    where r.format = p_format and r.id not in (select n.id from bellhand_crm.reports n where n.format = p_format order by n.id desc limit kept);
  return report;
end $$;
revoke execute on function bellhand_crm.save_report from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.save_report');
