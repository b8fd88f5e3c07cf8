"""The alert rules for Prometheus and the dashboard for Grafana that come with the program, with links that lead to this installation's pages."""

from __future__ import annotations

import re
from pathlib import Path

_packaged = Path(__file__).with_name("_prometheus")
SHIPPED = _packaged if _packaged.is_dir() else Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = "rules.yml"
_packaged = Path(__file__).with_name("_grafana")
BOARD = (_packaged if _packaged.is_dir() else SHIPPED.with_name("grafana")) / "bellhand.json"
ADDRESS = "http://127.0.0.1:7700"  # in the box of the dashboard as it is shipped
RUNBOOK = re.compile(r"(?m)^( +runbook_url: )docs/runbooks/(\w+)\.md$")
PAGE = re.compile(r"(?m)^( +dashboard_url: )'?(/[^'\n]*)'?$")


def alert_rules(base: str, runbooks: str | None = None) -> str:
    """The rules of an installation at `base` (https://jobs.example.com); `runbooks` is where those are, if not there."""
    return with_links((SHIPPED / RULES).read_text(encoding="utf-8"), base, runbooks or f"{base}/runbooks")  # fmt: skip


def with_links(text: str, base: str, runbooks: str) -> str:
    """The rules with links that can be followed: their own are relative to wherever this is installed."""
    text = RUNBOOK.sub(rf"\1{runbooks}/\2", text)
    return PAGE.sub(rf"\1'{base}\2'", text)


def grafana_dashboard(base: str) -> str:
    """The dashboard, whose links lead to the pages at `base` unless another address is typed into its box."""
    return BOARD.read_text(encoding="utf-8").replace(f'"{ADDRESS}"', f'"{base}"')
