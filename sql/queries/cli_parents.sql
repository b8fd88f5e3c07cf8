-- The jobs that job $1 still waits for.
select p.id, p.kind, p.state from bellhand.dependencies d join bellhand.jobs p on p.id = d.parent where d.child = $1 order by p.id limit 20
