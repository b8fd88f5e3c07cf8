"""The pages that people look at: what runs, what waits, what failed and why."""
