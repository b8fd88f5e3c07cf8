-- Computes a priority from urgency, customer tier and value, as the CRM seed defines it: 5, critical +5, high +3, low -2,
-- vip +3, premium +2, value over 10000 +3, 5000 +2, 1000 +1, held within 1 to 10.
create or replace function bellhand.priority(urgency text default 'medium', tier text default 'standard', value numeric default 0)
returns integer language sql immutable parallel safe
return least(10, greatest(1, 5
  + case lower(urgency) when 'critical' then 5 when 'high' then 3 when 'low' then -2 else 0 end
  + case lower(tier) when 'vip' then 3 when 'premium' then 2 else 0 end
  + case when value > 10000 then 3 when value > 5000 then 2 when value > 1000 then 1 else 0 end));
