-- Enqueues the offers of at most $1 open opportunities (enqueue_offers.sql).
select bellhand_crm.enqueue_offers($1) as queued
