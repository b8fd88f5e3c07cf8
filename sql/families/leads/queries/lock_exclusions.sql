-- Nobody changes the list of exclusions until this transaction ends; changes under way are waited for.
lock table bellhand_leads.exclusions in share mode
