"""The alert rules for Prometheus that come with the program, with links that lead to this installation's pages."""

from __future__ import annotations

import re
from pathlib import Path

_packaged = Path(__file__).with_name("_prometheus")
SHIPPED = _packaged if _packaged.is_dir() else Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = "rules.yml"
RUNBOOK = re.compile(r"(?m)^( +runbook_url: )docs/runbooks/(\w+)\.md$")
PAGE = re.compile(r"(?m)^( +dashboard_url: )'?(/[^'\n]*)'?$")


def alert_rules(base: str, runbooks: str | None = None) -> str:
    """The rules of an installation at `base` (https://jobs.example.com); `runbooks` is where those are, if not there."""
    return with_links((SHIPPED / RULES).read_text(encoding="utf-8"), base, runbooks or f"{base}/runbooks")  # fmt: skip


def with_links(text: str, base: str, runbooks: str) -> str:
    """The rules with links that can be followed: their own are relative to wherever this is installed."""
    text = RUNBOOK.sub(rf"\1{runbooks}/\2", text)
    return PAGE.sub(rf"\1'{base}\2'", text)
