-- The name of a customer's segment, from their fifths by recency, frequency and amount: three bands of recency (the two best fifths, the middle, the
-- rest) by three of frequency and amount together (on average in the fourth fifth or better, in the second or better, in the first).
create or replace function bellhand_crm.segment(recency integer, frequency integer, monetary integer)
returns text language sql immutable parallel safe
return case
  when recency is null then null
  when recency >= 4 then case when frequency + monetary >= 8 then 'champions' when frequency + monetary >= 4 then 'growing' else 'new' end
  when recency = 3 then case when frequency + monetary >= 8 then 'loyal' when frequency + monetary >= 4 then 'need attention' else 'about to sleep' end
  else case when frequency + monetary >= 8 then 'at risk' when frequency + monetary >= 4 then 'sleeping' else 'lost' end
end;
