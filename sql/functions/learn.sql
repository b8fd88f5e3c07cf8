-- What a daemon learns now and then from what happened, beside the hot path: how long kinds take, how well it was foretold, what failed
-- alike, which workers there are. Says how many failures it grouped and whether more are left, and the calibration of the week.
create or replace function bellhand.learn(out grouped bigint, out more boolean, out start_held float8, out start_error float8,
  out finish_held float8, out finish_error float8) language plpgsql set jit = off as $$
begin
  insert into bellhand.workers_seen as s (id, name, host, version, started_at)
    select w.id, w.name, w.host, w.version, w.started_at from bellhand.workers w
      where not exists (select from bellhand.workers_seen x where x.id = w.id and x.seen_at > bellhand.now() - interval '1 hour') order by w.id
    on conflict (id) do update set seen_at = excluded.seen_at;
  perform bellhand.measure_runs();
  perform bellhand.keep_score();
  grouped := bellhand.group_failures(2000);
  more := grouped = 2000;
  select sum(c.held)::float8 / sum(c.judged), sum(c.error_ratio * c.judged) / sum(c.judged) into start_held, start_error
    from bellhand.eta_calibration c where c.what = 'start';
  select sum(c.held)::float8 / sum(c.judged), sum(c.error_ratio * c.judged) / sum(c.judged) into finish_held, finish_error
    from bellhand.eta_calibration c where c.what = 'finish';
end $$;
