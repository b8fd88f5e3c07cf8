-- How well starts and finishes were foretold in the last seven days, by kind, the most judged first.
select * from bellhand.eta_calibration c order by c.judged desc, c.kind, c.what
