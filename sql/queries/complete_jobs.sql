-- Jobs whose id begins with the digits $1, at most $2, the newest first, with their kind and how they ended: for completion.
select n.id as name, n.kind || coalesce(', ' || n.state, '') as note from bellhand.jobs_beginning($1, $2::integer) n order by n.id desc limit $2::integer
