-- Asks whether a call may go out: service, key's fingerprint, ticket, rate, burst, longest wait, a probe's time, the four caps.
select * from bellhand.service_enter($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
