-- Remembers that lane $1 has jobs of rank $2.
select bellhand.note_rank($1, $2)
