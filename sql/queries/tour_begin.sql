-- Since when the tour goes on, and whether somebody was seen to watch; it begins now if it has not begun, or anew if $1.
with kept as (insert into bellhand.meta as m (name, value) values ('tour', bellhand.now()::text)
  on conflict (name) do update set value = case when $1 then excluded.value else m.value end returning m.value)
select k.value::timestamptz as since, coalesce((select m.value = k.value from bellhand.meta m where m.name = 'tour_watched'), false) as watched from kept k
