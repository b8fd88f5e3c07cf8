-- How long collecting leads for $1 services in $2 locations takes.
select e.steps, e.seconds, e.measured from bellhand_leads.estimate($1, $2) e
