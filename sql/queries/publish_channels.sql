-- Publishes the channels and subscriptions of the configuration.
select bellhand.publish_channels($1::text::jsonb, $2::text::jsonb)
