-- Deletes a batch of usage older than $1 days, of answers that are too old, and of writers that are gone.
select bellhand.delete_usage($1)
