-- Deletes a batch of old events ($1 days), stats ($2 days) and ticks.
select bellhand.delete_old($1, $2)
