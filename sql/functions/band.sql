-- The band that nine of ten sums of that mean and deviation fall into, and its middle: quantiles of a gamma distribution by the
-- approximation of Wilson and Hilferty (1931), so that it is never below zero and leans the way that waiting times do.
create or replace function bellhand.band(mean float8, deviation float8, out low float8, out at float8, out high float8)
language plpgsql immutable parallel safe as $$
declare
  c float8;
begin
  if mean is null then return; end if;
  if mean <= 0 or coalesce(deviation, 0) <= 0 then
    low := greatest(mean, 0); at := low; high := low;
    return;
  end if;
  c := (deviation / mean) ^ 2 / 9;
  low := mean * greatest(0, 1 - c - 1.645 * sqrt(c)) ^ 3;
  at := mean * greatest(0, 1 - c) ^ 3;
  high := mean * greatest(0, 1 - c + 1.645 * sqrt(c)) ^ 3;
end $$;
