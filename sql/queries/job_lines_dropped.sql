-- How many lines that job $1 logged are not kept.
select bellhand.job_lines_dropped($1) as lines
