-- Notes how a delivery went; whether the channel is disabled now.
select bellhand.channel_fared($1, $2, $3, $4)
