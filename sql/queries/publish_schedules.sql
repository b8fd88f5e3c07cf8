-- Publishes the schedules of the configuration; writes only what changed.
select bellhand.publish_schedules($1::text::jsonb)
