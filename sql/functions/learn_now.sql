-- All that daemons learn beside the hot path, at once, for whoever does not want to wait for them: how long kinds take, how well that was
-- foretold, what failed alike. Says how many failures it grouped.
create or replace function bellhand.learn_now() returns bigint language plpgsql set jit = off as $$
begin
  perform bellhand.measure_runs();
  perform bellhand.keep_score();
  return bellhand.group_failures();
end $$;
