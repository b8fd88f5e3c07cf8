"""The outside world: one guarded, limited client per service."""
