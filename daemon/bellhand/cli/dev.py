"""Development."""

from bellhand.cli.context import Given


def dev(*, cli: Given) -> int:
    """Run a database, the daemon and a demo."""
    return 0
