-- The newest $1 deploys, found by daemons or told by somebody.
select d.id, d.at, d.version, d.code, d.note, d.actor from bellhand.deploys d order by d.id desc limit $1
