-- Worker $1 runs handlers whose sources have digest $2; whether that is a deploy.
select bellhand.note_deploy($1, $2)
