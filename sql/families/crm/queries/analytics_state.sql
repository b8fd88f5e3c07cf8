-- Whether the figures are in the months of the policy (false too when there are none yet), and whether what is expected was told within a day.
select a.months_time_zone is not distinct from p.months_time_zone as current,
       coalesce(a.expected_at > bellhand.now() - interval '1 day', false) as expected_lately
  from bellhand_crm.analytics a cross join bellhand_crm.policy p
