-- Takes in the canaries that came back, and sends the next ones after $1 seconds (see the function).
select bellhand.keep_canaries($1)
