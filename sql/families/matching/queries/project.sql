-- The project $1: its settings, its verifier, and how many items each side has.
select p.id, p.one_to_one, p.owner, p.verifier::text as verifier,
  (select count(*) from bellhand_matching.items i where i.project_id = p.id and i.side = 'source') as sources,
  (select count(*) from bellhand_matching.items i where i.project_id = p.id and i.side = 'catalogue') as catalogue
from bellhand_matching.projects p where p.id = $1
