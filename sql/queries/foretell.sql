-- Writes down when jobs $1 will start and finish, to be judged: somebody was told so.
select bellhand.foretell($1)
