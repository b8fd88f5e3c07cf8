-- Enters the business of the demo with website $2 under name $1, or moves it there; its trigger enqueues the checks.
with moved as (
  update bellhand_sites.businesses set website = $2 where name = $1 returning id)
insert into bellhand_sites.businesses (name, website)
  select $1, $2 where not exists (select from moved) returning id
