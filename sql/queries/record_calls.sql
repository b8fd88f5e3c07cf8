-- Writes batch $2 of writer $1: usage $3 and health $4, as JSON; counted once however often it is sent.
select bellhand.record_calls($1, $2, $3::text::jsonb, $4::text::jsonb)
