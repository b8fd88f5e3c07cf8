-- The version of the row of live job $1, which any write to it changes.
select j.xmin::text as version from bellhand.jobs j where j.id = $1
