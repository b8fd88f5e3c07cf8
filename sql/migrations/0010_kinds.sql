-- What else a kind says of its jobs: how long a step may take, how long a failed attempt waits, and what a second run does outside.
alter table bellhand.kinds
  add column step_timeout_seconds real,
  add column backoff_base_seconds real,
  add column backoff_max_seconds  real,
  add column side_effects text check (side_effects in ('none', 'keyed', 'external'));   -- null: nobody said
