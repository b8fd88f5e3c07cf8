-- Since when a lane or a kind is paused, and by whom: the log of events is kept for a while only, and a pause that was forgotten outlives it.
alter table bellhand.lanes add column paused_at timestamptz, add column paused_by text;   -- null: not paused, or since before this was kept
alter table bellhand.kinds add column paused_at timestamptz, add column paused_by text;
