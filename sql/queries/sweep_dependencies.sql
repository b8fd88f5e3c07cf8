-- Releases children that were committed while their parent finished, from transaction $1 on; returns the next bound.
select bellhand.sweep_dependencies($1)
