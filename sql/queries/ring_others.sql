-- Rings for every worker, asleep or not: the one that asks has its hands full, and its flag says that somebody is awake.
select pg_notify('bellhand', '') where pg_notification_queue_usage() < 0.5
