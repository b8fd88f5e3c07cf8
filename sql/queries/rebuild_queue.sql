-- Rebuilds the queue after a move to another cluster; null when there was nothing to do. An advisory lock guards it.
select bellhand.rebuild_queue()
