-- Whether the figures are in the months of the policy; false too when there are none yet.
select a.months_time_zone is not distinct from p.months_time_zone as current from bellhand_crm.analytics a cross join bellhand_crm.policy p
