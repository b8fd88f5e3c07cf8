-- Sends one notification, to see whether LISTEN works over this connection.
select pg_notify($1, $2)
