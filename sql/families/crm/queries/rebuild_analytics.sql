-- Counts everybody anew (rebuild_analytics.sql).
select counted from bellhand_crm.rebuild_analytics()
