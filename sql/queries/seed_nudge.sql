-- Rings for every worker, asleep or awake: somebody wants jobs to be processed now.
select bellhand.call_workers()
