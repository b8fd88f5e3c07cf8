-- The moment $1 (null: now) and $2 seconds after it, as text that the setting bellhand.now takes.
select (coalesce($1::text::timestamptz, bellhand.now()) + make_interval(secs => $2))::text
