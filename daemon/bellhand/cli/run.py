"""Running the daemon, and measuring it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from bellhand.cli.context import Given
from bellhand.cli.errors import Refused


def run(*, cli: Given) -> int:
    """Run the daemon: claim jobs and run them, until SIGTERM or Ctrl-C."""
    # Only here: it brings in the whole daemon.
    from bellhand import app

    return app.run(cli.configured)


def bench(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)], cli: Given
) -> int:
    """Drain jobs as fast as this machine can, and say where the time goes."""
    try:
        from bellhand.dev import bench as benchmark
    except ImportError as error:
        raise Refused("this installation has no benchmark", why=str(error)) from error
    return int(benchmark.main(list(tokens)))
