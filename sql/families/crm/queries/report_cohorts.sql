-- The newest $1 cohorts month by month, and the last month that anybody bought in.
select c.cohort, c.month, c.customers, c.amount, (select max(month) from bellhand_crm.cohort_months) as last_month
  from bellhand_crm.cohort_months c
  where c.cohort in (select distinct n.cohort from bellhand_crm.cohort_months n order by 1 desc limit $1)
  order by c.cohort, c.month
