"""Whether a daemon is fit to work, in a form that people, load balancers and systemd can read."""

from __future__ import annotations

from dataclasses import dataclass

BEAT_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Health:
    """How things stand inside a daemon; filled in by app.py without I/O.

    `polling` says that nothing can be heard here (a transaction pooler), which is slower but fine.
    `lag_seconds` is how long ago the last heartbeat reached the database.
    """

    db_up: bool
    schema_ok: bool
    listen_up: bool
    polling: bool
    draining: bool
    worker_alive: bool
    lag_seconds: float

    def checks(self) -> list[tuple[str, bool, str]]:
        """(name, whether it is fine, a word about it) for each part."""
        listening = "ok" if self.listen_up else "polling" if self.polling else "not yet"
        return [
            ("db", self.db_up, "ok" if self.db_up else "away"),
            ("schema", self.schema_ok, "ok" if self.schema_ok else "not checked yet"),
            ("listen", self.listen_up or self.polling, listening),
            (
                "worker",
                self.worker_alive,
                "ok" if self.worker_alive else "the claim loop stands still",
            ),
            (
                "heartbeat",
                self.lag_seconds <= BEAT_SECONDS_MAX,
                f"{max(0.0, self.lag_seconds):.1f} s ago",
            ),
            ("draining", not self.draining, "yes" if self.draining else "no"),
        ]

    @property
    def ready(self) -> bool:
        """Whether new work is welcome here."""
        return all(fine for _, fine, _ in self.checks())
