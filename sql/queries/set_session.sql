-- Sets $1 to $2 for this session: a pooler that keeps sessions takes no settings as a connection opens.
select set_config(s.name, s.value, false) from unnest($1::text[], $2::text[]) s(name, value)
