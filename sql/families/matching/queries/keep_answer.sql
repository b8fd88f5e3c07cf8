-- Keeps what model $2 answered to question $1; who comes second changes nothing.
insert into bellhand_matching.answers (question, model, answer) values ($1, $2, $3) on conflict (question) do nothing
