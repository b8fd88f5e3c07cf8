-- Remembers that jobs of this rank were claimed from this lane, so that every worker keeps a position for them.
create or replace function bellhand.note_rank(p_lane smallint, p_rank smallint) returns void language sql as $$
  update bellhand.lanes set ranks = ranks || p_rank where id = p_lane and not p_rank = any (ranks)
$$;
