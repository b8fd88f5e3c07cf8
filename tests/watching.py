"""The rules, the dashboard and Prometheus itself, for the tests that look at what watches Bellhand."""

import asyncio
import importlib
import json
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support import ROOT, eventually

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
RULE_TESTS = sorted(RULES.parent.glob("rules_*test.yml"))
GRAFANA = ROOT / "deploy" / "grafana"
RUNBOOKS = ROOT / "docs" / "runbooks"
ALERT = re.compile(r"^      - alert: (\w+)\n(.*?)(?=^      - alert|^      # |\Z)", re.M | re.S)
STOP_SECONDS = 10


def alerts() -> dict[str, str]:
    """The text of each alerting rule by its name."""
    return dict(ALERT.findall(RULES.read_text()))


def grafana() -> ModuleType:
    """The script that writes the dashboard."""
    if str(GRAFANA) not in sys.path:
        sys.path.insert(0, str(GRAFANA))
    return importlib.import_module("dashboard")


def queries() -> list[tuple[str, str]]:
    """Every query of the dashboard as Prometheus takes it, with the title of its panel; all is chosen."""
    board = json.loads((GRAFANA / "bellhand.json").read_text())
    return [
        (panel["title"], chosen(target["expr"]))
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]


def chosen(expr: str) -> str:
    """With Grafana's variables filled in."""
    return re.sub(r"\$(job|instance|lane|kind)", ".+", expr).replace("$__rate_interval", "1m")


def program(name: str) -> str:
    """Where promtool or prometheus is; else the test is skipped, and says so."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here: apt-get install prometheus")
    return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Prometheus:
    """One that runs, and its HTTP API."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log

    async def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer; a refusal is an AssertionError with what it said."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        return await asyncio.to_thread(self._get, url)

    def _get(self, url: str) -> Any:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{url}: {error.read().decode()}") from error

    async def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire, by name."""
        found = (await self.get("alerts"))["alerts"]
        return {one["labels"]["alertname"]: one for one in found if one["state"] == "firing"}

    async def value(self, expr: str) -> float | None:
        """The first value that an expression has now."""
        found = (await self.get("query", query=expr))["result"]
        return float(found[0]["value"][1]) if found else None


@asynccontextmanager
async def prometheus(
    folder: Path, rules: str, targets: list[str], port: int
) -> AsyncIterator[Prometheus]:
    """One that scrapes the targets each second and evaluates the rules as often."""
    (folder / "rules.yml").write_text(rules)
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yml")],
        "scrape_configs": [{"job_name": "bellhand", "static_configs": [{"targets": targets}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    log = folder / "prometheus.log"
    command = [
        program("prometheus"), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    made = Prometheus(port, log)

    async def ready() -> bool:
        assert child.poll() is None, log.read_text()
        try:
            await made.get("status/buildinfo")
        except OSError:
            return False
        return True

    try:
        await eventually(ready, 30)
        yield made
    finally:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
