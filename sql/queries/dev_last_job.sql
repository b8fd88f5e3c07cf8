-- The highest job id that was ever given out.
select case when s.is_called then s.last_value else 0 end from bellhand.jobs_id_seq s
