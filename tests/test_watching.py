"""Rules, runbooks and the dashboard fit together, and ask only for what a daemon exports."""

import json
import re
import subprocess

import asyncpg
import pytest

from bellhand import Job, job_kind
from bellhand.cli.app import app
from daemons import at_work, insert, until
from support import ROOT
from watching import GRAFANA, RULE_TESTS, RULES, RUNBOOKS, alerts, grafana, program, queries

METRIC = re.compile(r"\b(?:bellhand|process)_[a-z_]+")
SELECTOR = re.compile(r"\b(bellhand_[a-z_]+)\{([^}]*)\}")
COUNTER = re.compile(
    r"\b(?:(rate|increase)\()?(\w+(?:_total|_bucket))(?:\{[^}]*\})(?:\[([^\]]*)\])?"
)
UNITS = {"s", "short", "percentunit", "ops", "bytes", "currencyUSD"}  # as Grafana names them


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    tool = program("promtool")
    for words in (
        ["check", "rules", RULES],
        ["check", "config", RULES.with_name("prometheus.yml")],
    ):
        done = subprocess.run([tool, *words], capture_output=True, text=True, cwd=RULES.parent)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_stays_silent_when_idle_and_survives_a_counter_that_starts_anew() -> None:
    tool = program("promtool")
    done = subprocess.run(
        [tool, "test", "rules", *(path.name for path in RULE_TESTS)],
        capture_output=True,
        text=True,
        cwd=RULES.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_what_how_bad_and_what_to_do(name: str) -> None:
    text = alerts()[name]
    assert re.search(r"severity: (critical|warning|info)\b", text)
    for part in ("summary", "description"):
        assert re.search(rf"^          {part}: \S", text, re.M)
    assert f"runbook_url: docs/runbooks/{name}.md" in text
    assert re.search(r"^          dashboard_url: '?/[a-z]+", text, re.M)
    tested = "".join(path.read_text() for path in RULE_TESTS)
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert "\n## Look\n" in page
    assert "\n## Mend\n" in page
    assert re.search(rf'alertname="?{name}\b|alertname: {name}\b', tested)


def test_there_is_no_runbook_without_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(alerts())


async def test_the_statements_of_the_runbooks_can_be_run(conn: asyncpg.Connection) -> None:
    statements = [
        sql
        for page in sorted(RUNBOOKS.glob("*.md"))
        for sql in re.findall(r"`((?:select|delete) [^`]+)`", page.read_text())
        if "PID" not in sql
    ]
    assert len(statements) > 15
    for sql in statements:
        await conn.prepare(sql)


def test_the_commands_of_the_runbooks_can_be_given_and_their_events_are_logged() -> None:
    """Each is parsed as the command line would; what journald is asked for is something that a daemon says."""
    pages = "\n".join(page.read_text() for page in RUNBOOKS.glob("*.md"))
    commands = re.findall(r"(?<=`|\()(bellhand [a-z][^`|)]*)", pages)
    for command in commands:
        words = re.sub(r" -q\b| --format '[^']*'| \$\(.*", "", command).split()[1:]
        if words == ["why"]:  # of what the command in brackets prints
            words.append("1")
        app.parse_args(words, exit_on_error=False, print_error=False)
    assert len(commands) > 40
    code = "".join(path.read_text() for path in (ROOT / "daemon" / "bellhand").rglob("*.py"))
    for event in re.findall(r"\bEVENT=(\w+)", pages):
        assert f'"{event}"' in code
    for chore in re.findall(r"\bBELLHAND_CHORE=(\w+)", pages):
        assert f"async def {chore}(self)" in code


@job_kind("watched.job")
async def watched(job: Job) -> None:
    job.count("leads_found", 1)
    await job.step("one", _nothing)


async def _nothing() -> None:
    pass


async def exported(dsn: str, conn: asyncpg.Connection) -> dict[str, set[str]]:
    """Every series of a daemon that has done something, with its labels."""
    schedules = {"yearly": {"cron": "0 0 1 1 *", "kind": "watched.job"}}
    metrics = {"canary_seconds": 0.2}
    async with at_work(dsn, watched, schedules=schedules, metrics=metrics) as daemon:
        await until(conn, await insert(conn, "watched.job"), "completed")
        await daemon.keeper.sample()
        await daemon.keeper.sample_database()
        found: dict[str, set[str]] = {}
        for family in daemon.metrics.registry.collect():
            labels = set().union(
                *(one.labels for one in family.samples), getattr(family, "_labelnames", ())
            )
            names = {family.name, *(one.name for one in family.samples)}
            ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
            names |= {family.name + end for end in ends.get(family.type, [])}
            found |= dict.fromkeys(names, labels | {"job", "instance", "le"})
        return found


async def test_rules_and_dashboard_ask_only_for_what_a_daemon_exports(
    dsn: str, conn: asyncpg.Connection
) -> None:
    there = await exported(dsn, conn)
    recorded = set(re.findall(r"record: (\S+)", RULES.read_text()))
    asked = [("rules.yml", RULES.read_text()), *queries()]
    for where, expr in asked:
        for name in recorded:
            expr = expr.replace(name, "")
        for name in METRIC.findall(expr):
            assert name in there, f"{where}: nobody exports {name}"
        for name, selector in SELECTOR.findall(expr):
            labels = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", selector))
            known = there[name]
            # A family without a series yet does not say what its labels are.
            assert labels <= known or known == {"job", "instance", "le"}, (
                f"{where}: {name}{{{selector}}}"
            )
    assert len(asked) > 70


async def test_panels_lead_to_pages_that_there_are(dsn: str) -> None:
    board = json.loads((GRAFANA / "bellhand.json").read_text())
    links = {one["url"] for panel in board["panels"] for one in panel.get("links", ())}
    asked = {link.removeprefix("${pages:raw}") for link in links}
    async with at_work(dsn, watched) as daemon:
        served = {getattr(route, "path", "") for route in daemon.status.routes}
    assert len(asked) >= 7
    assert asked <= served


def test_the_dashboard_is_what_its_table_says() -> None:
    assert (GRAFANA / "bellhand.json").read_text() == grafana().text(), "run make grafana"


def test_the_dashboard_keeps_the_rules_of_grafana_s_linter() -> None:
    """Those of grafana/dashboard-linter: of variables, queries, ranges, counters. ALERTS has neither job nor instance."""
    board = json.loads((GRAFANA / "bellhand.json").read_text())
    source, *asked, _pages = board["templating"]["list"]
    assert (source["type"], source["name"], source["label"]) == ("datasource", "datasource", "Data source")  # fmt: skip
    assert [one["name"] for one in asked] == ["job", "instance", "lane", "kind"]
    for one in asked:
        assert one["label"] == one["name"].title()
        assert (one["multi"], one["allValue"], one["refresh"]) == (True, ".+", 2)
        assert one["datasource"]["uid"] == "${datasource}"
        assert re.fullmatch(r"label_values\(\w+(\{[^}]+\})?, \w+\)", one["query"])
    targets = [target for panel in board["panels"] for target in panel.get("targets", ())]
    for expr in [one["expr"] for one in (*targets, *board["annotations"]["list"])]:
        for name, labels in re.findall(r"\b((?:bellhand|process)_\w+|up)\b(\{[^}]*\})?", expr):
            assert 'job=~"$job",instance=~"$instance"' in labels, f"{name} of whatever: {expr}"
        for function, _name, span in COUNTER.findall(expr):
            assert function, f"a counter as it stands: {expr}"
            assert span == "$__rate_interval" or function == "increase", expr
    assert all(target["legendFormat"] for target in targets)


def test_every_panel_says_what_it_shows_in_which_unit_from_whatever_source_is_chosen() -> None:
    board = json.loads((GRAFANA / "bellhand.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert [p["title"] for p in board["panels"] if p["type"] == "row"] == [
        "Fleet", "Lanes", "Kinds", "Families", "Outside services", "Daemon and Postgres",
    ]  # fmt: skip
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels:
        assert panel["description"].endswith(".")
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    assert not board["editable"]
    assert {one["name"] for one in board["templating"]["list"]} == {
        "datasource", "job", "instance", "lane", "kind", "pages",
    }  # fmt: skip
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
