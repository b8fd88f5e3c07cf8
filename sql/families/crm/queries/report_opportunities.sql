-- Opportunities by status.
select status, count(*) as opportunities, sum(estimated_value) as value from bellhand_crm.opportunities group by status
