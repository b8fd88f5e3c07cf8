-- The id of the business with website $1, entered if need be.
select bellhand_sites.business_of($1) as id
