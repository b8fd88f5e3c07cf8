-- Drops the notes ($1 names) of functions that the program no longer ships, so that they would be applied again.
delete from bellhand.migrations where name = any ($1::text[]);
