-- Publishes the lane limits of the configuration; writes only what changed.
select bellhand.publish_lanes($1::text::jsonb)
