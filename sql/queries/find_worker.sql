-- The id of the worker that $1 names by id or name; refused if that is none or several.
select (bellhand.find_worker($1)).id
