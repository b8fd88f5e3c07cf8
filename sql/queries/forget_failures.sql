-- Forgets a batch of failures and operations older than $1 days; how many.
select bellhand.forget_failures($1)
