-- Goes before a step of a printed script, since psql runs on after an error: stops where the step before it left no note ($1 its last name,
-- $2 the checksum), and where a migration of this one ($3 its name, empty for functions) has run already.
do $guard$ begin
  if '$1' <> '' and not exists (select from bellhand.migrations where name = '$1' and checksum = '$2') then
    raise exception 'not applied, since it stands on $1, which is not there' using hint = 'Mend what failed first, then print the script again: bellhand migrate sql';
  elsif exists (select from bellhand.migrations where name = '$3') then
    raise exception '$3 is applied already' using hint = 'Print what is missing now: bellhand migrate sql';
  end if;
end $guard$;
