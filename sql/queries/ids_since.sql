-- How many transactions have got an id since $1 got its own, that one too; asking gives none away.
select age($1::xid8::xid)
