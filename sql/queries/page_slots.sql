-- Who holds the slots of limited lanes.
select l.name as lane, w.name as worker, h.slots from bellhand.lane_holds h join bellhand.lanes l on l.id = h.lane
left join bellhand.workers w on w.id = h.worker where h.slots > 0 order by 1, 2
