"""Running the daemon, and measuring it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TextIO

from cyclopts import Parameter

from bellhand.cli.context import Given
from bellhand.cli.errors import Refused

if TYPE_CHECKING:
    from bellhand.settings import Log


def run(*, cli: Given) -> int:
    """Run the daemon: claim jobs and run them, until SIGTERM or Ctrl-C."""
    # Only here: it brings in the whole daemon.
    from bellhand import app
    from bellhand.cli.config import lines

    settings = cli.configured
    origins = lines(cli.options.config, settings, from_flag=bool(cli.options.dsn))
    with logging(settings.log):
        return app.run(settings, config=cli.options.config, origins=origins)


@contextmanager
def logging(settings: Log, stream: TextIO | None = None) -> Iterator[None]:
    """Log lines go to `stream` (stdout) as the settings say; all of them have gone at the end."""
    from bellhand import logs

    writer = logs.setup(settings.format, settings.level, stream)
    try:
        yield
    finally:
        writer.close()


def bench(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)], cli: Given
) -> int:
    """Drain jobs as fast as this machine can, and say where the time goes.

    Takes --jobs N, --runs N, --concurrency N and more; `bellhand bench -- --help` lists them.
    """
    try:
        benchmark = importlib.import_module("bellhand.dev.bench")
    except ModuleNotFoundError as error:
        raise Refused(
            "this installation has no benchmark",
            why=str(error),
            fix="install the whole package again: pip install --force-reinstall bellhand",
        ) from error
    return int(benchmark.main(list(tokens)))
