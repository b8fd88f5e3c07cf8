-- Publishes the kinds of this daemon; writes only what changed.
select bellhand.publish_kinds($1::text::jsonb)
