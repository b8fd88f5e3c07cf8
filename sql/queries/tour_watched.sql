-- Keeps that somebody was seen to watch on this tour: no table knows it.
insert into bellhand.meta (name, value) select 'tour_watched', m.value from bellhand.meta m where m.name = 'tour'
on conflict (name) do update set value = excluded.value
