"""`bellhand rules`: what Prometheus is to watch and Grafana to show, with links that lead to this installation's pages, and whether that works."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bellhand.alert_rules import RULES, SHIPPED, alert_rules, grafana_dashboard
from bellhand.cli.context import Cli, Given
from bellhand.cli.errors import Refused, Usage
from bellhand.cli.installing import run
from bellhand.cli.output import plain, say, tell
from bellhand.cli.panels import group
from bellhand.counted import counted

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (where a browser asks, when it listens everywhere)

rules = group(
    "rules", "Alert rules for Prometheus, whether they work, and a dashboard for Grafana."
)
Url = Annotated[
    str | None,
    Parameter(
        help="Where people reach the status port; else [status] url, else its host and port."
    ),
]


Output = Annotated[
    Path | None, Parameter(name=("--output", "-o"), help="The file to write, over one that is there; else stdout.")
]  # fmt: skip


@rules.command
def prometheus(
    *,
    url: Url = None,
    runbooks: Annotated[
        str | None, Parameter(help="Where the runbooks are, if elsewhere: https://docs.example.com/runbooks.")
    ] = None,
    output: Output = None,
    cli: Given,
) -> int:  # fmt: skip
    """Print the alert rules; their thresholds are metrics that come from your configuration, so there is nothing to edit.

    Each alert links to a page of the dashboard and to its runbook, which every daemon serves at /runbooks/NAME.
    """
    text = alert_rules(_pages(cli, url, "prometheus"), _address(runbooks) if runbooks else None)
    return _give(text, output, "name it under rule_files in prometheus.yml and reload Prometheus", cli)  # fmt: skip


@rules.command
def grafana(*, url: Url = None, output: Output = None, cli: Given) -> int:
    """Print the dashboard for Grafana, as JSON to import or to provision.

    It asks for a data source; its panels link to the pages of the daemon.
    """
    text = grafana_dashboard(_pages(cli, url, "grafana"))
    return _give(text, output, "import it in Grafana: Dashboards, New, Import", cli)


def _pages(cli: Cli, url: str | None, command: str) -> str:
    """Where people reach the pages of this installation."""
    status = cli.settings.status
    if not (url or status.url or status.port):
        raise Usage(
            "nobody knows where the status port is",
            why="[status] port is 0, any free one",
            fix=f"bellhand rules {command} --url https://jobs.example.com",
        )
    return _address(url or status.url or f"http://{ANY_ADDRESS.get(status.host, status.host)}:{status.port}")  # fmt: skip


def _give(text: str, output: Path | None, then: str, cli: Cli) -> int:
    """Into the file, or to stdout."""
    if output is None:
        say(text.rstrip("\n"))
        return 0
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{output} could not be written", why=str(error), fix="name another file with --output") from error  # fmt: skip
    if not cli.quiet:
        tell(f"{plain(output)} written; {then}")
    return 0


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+(/[\w./~-]*)?", text):
        raise Usage(f"{text!r} is no address", why="links of alerts begin with it", fix="write https://jobs.example.com")  # fmt: skip
    return text.rstrip("/")


@rules.command
def test(*, cli: Given) -> int:
    """Run the tests of the rules with promtool: each alert fires, and is silent where nothing is wrong."""
    if shutil.which("promtool") is None:
        raise Refused("there is no promtool here", why="it runs the tests of rules, and comes with Prometheus", fix="apt-get install prometheus")  # fmt: skip
    tests = sorted(SHIPPED.glob("rules_*test.yml"))
    with tempfile.TemporaryDirectory() as folder:
        for file in (SHIPPED / RULES, *tests):
            shutil.copy(file, folder)
        run(["promtool", "check", "rules", f"{folder}/{RULES}"])
        run(["promtool", "test", "rules", *(f"{folder}/{file.name}" for file in tests)])
    alerts = (SHIPPED / RULES).read_text(encoding="utf-8").count("- alert: ")
    if not cli.quiet:
        say(f"{counted(alerts, 'alert')}, {counted(len(tests), 'file')} of tests: all pass")
    return 0
