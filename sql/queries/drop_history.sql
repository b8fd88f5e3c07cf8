-- Drops one history partition older than $1 days; null when none is left.
select bellhand.drop_history($1)
