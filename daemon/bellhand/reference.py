"""The reference, made from the code so that it cannot say something else: for the site, and for /docs of a daemon.

It imports the whole program, so a daemon has a process of its own make it, once, when somebody first asks (`api.reference`).
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from bellhand import outcomes
from bellhand.cli.app import app
from bellhand.cli.commands import tell_all
from bellhand.cli.installing import EXAMPLE
from bellhand.cli.schemas import fields_of
from bellhand.cli.shapes import SHAPES
from bellhand.clients.usage import ServiceMetrics
from bellhand.event_sorts import EVENTS
from bellhand.examples import enqueue_command, examples_of
from bellhand.job import Job
from bellhand.kinds import Kind, find_kinds, job_kind
from bellhand.metrics import Metrics
from bellhand.problem_sorts import SORTS
from bellhand.sql import ROOT

MODULES = [f"bellhand.families.{name}" for name in ("crm", "leads", "matching", "seo", "sites")]
# Functions that an app or an operator calls; the others are private.
CONTRACT = (
    "enqueue", "enqueue_many", "quote", "eta", "why", "cancel", "pause", "resume", "retry", "run_now", "change", "purge", "reveal", "job_log", "bulk_preview", "bulk_act",
    "undo", "priority", "pause_lane", "resume_lane", "limit_lane", "pause_kind", "resume_kind", "pause_schedule", "run_schedule", "drain_worker", "undrain_worker",
    "failure_contrast", "mute_failure", "troubles", "set_channel", "subscribe", "enable_channel", "disable_channel", "rotate_secret", "replay", "test_channel",
    "create_token", "revoke_token",
)  # fmt: skip

# What the engine, not a handler, asks of a job.
NOT_FOR_HANDLERS = frozenset({
    "asked", "check", "comes_back", "hooks", "know_steps", "lane_id", "payload", "plain", "progress_json", "state", "steps_failed", "steps_running", "stop", "stop_now",
})  # fmt: skip


def pages() -> dict[str, str]:
    """Every page, as markdown, by the name that a guide has: `reference/sql`."""
    made = (commands, output, configuration, handlers, kinds, sql, events, metrics, problems)
    return {f"reference/{page.__name__}": page() for page in made}


def main() -> None:
    """Writes all pages to standard output, as JSON; whatever else runs here goes first."""
    os.nice(10)
    json.dump(pages(), sys.stdout)


def commands() -> str:
    """Every command with its options."""
    made: str = tell_all(app).generate_docs(output_format="markdown", recursive=True)
    # Groups of commands are shown with the name of the program that runs, which here is another one.
    made = re.sub(r" -m [\w.]+(?= (?:\[OPTIONS\]|COMMAND))", "", made)
    return made.replace("# bellhand\n", "# Commands\n", 1)


def output() -> str:
    """What each command prints for programs."""
    rows = [f"| `{name}` | {', '.join(f'`{field}`' for field in fields_of(name.split())) or 'names'} |" for name in SHAPES]  # fmt: skip
    return (
        "# Output for programs\n\nThe fields of what commands print with `--json`, `--ndjson` and `--format`, those of all forms of a command together. "
        "`bellhand schema COMMAND` prints the whole JSON Schema. Fields are only ever added.\n\n"
        "| command | fields |\n| --- | --- |\n" + "\n".join(rows) + "\n"
    )


def configuration() -> str:
    """The example configuration, which has every setting."""
    first, *sections = re.split(
        r"^(?=\[[\w.]+\]\n)", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    text = f"```toml\n{first.rstrip()}\n```\n" + "".join(
        f"\n## {section[1 : section.index(']')]}\n\n```toml\n{section.rstrip()}\n```\n" for section in sections
    )  # fmt: skip
    return f"""# Configuration

`config.toml` in the working directory, `$BELLHAND_CONFIG`, or `--config`. The environment beats the file: `BELLHAND_WORKER__CONCURRENCY=8` is
`concurrency` under `[worker]`. Unknown keys are refused with the nearest one. `bellhand check` reads it all and says what is wrong; SIGHUP reads it again.

{text}
## What the seeds' settings are called here

| there | here |
| --- | --- |
| `JOB_QUEUE_CONCURRENCY=3` | `[lanes.crm] concurrency = 3`, over all daemons; `worker.concurrency` for all that one daemon runs at once |
| `JOB_QUEUE_POLL_INTERVAL=5000` (ms) | not needed: the INSERT rings. `worker.poll_seconds` is how long to sleep at most while nothing rings |
| `JOB_QUEUE_PERSISTENCE=true` | always |
| `JOB_MAX_ATTEMPTS=3` | a kind's `attempts_max`, and a job's own; 3 unless said otherwise |
| `JOB_PROCESS_BATCH_SIZE=5` | not needed: a daemon takes as many as it has room for. `[lanes.seo] concurrency = 5` runs five at once |
| `JOB_RETENTION_DAYS=30` | `retention.history_days = 30` |
| `CRON_SECRET` | the same name, or `status.cron_secret` |
| `SERPAPI_KEY`, `OPENAI_API_KEY` | the same names, or `services.serpapi.key`, `services.openai.key` |
"""


def handlers() -> str:
    """What a handler may use: the public names of the package, and all that a job has."""
    parts = [
        "# Handlers\n\n[Write and test a handler](../how-to/handler.md) says how these go together.\n"
    ]
    for public in (job_kind, outcomes.Retry, outcomes.Snooze, outcomes.Failed, outcomes.Cancelled):
        parts.append(_told(public.__name__, public, public.__name__))
    for name, member in vars(Job).items():
        inner = getattr(member, "fget", None) or getattr(member, "func", None)
        is_told = inspect.isfunction(inner or member) and name not in NOT_FOR_HANDLERS
        if name.startswith("_") or not is_told:
            continue
        parts.append(_told(f"job.{name}", inner or member, f"job.{name}", called=inner is None))
    return "\n".join(parts)


def _told(heading: str, thing: Any, call: str, *, called: bool = True) -> str:
    """A name with its signature, which a property does not have, and its own text."""
    if isinstance(thing, type) and "__init__" not in vars(thing):  # an exception like any other
        shown = "(message)"
    else:
        signature = inspect.signature(thing)
        wanted = [one for name, one in signature.parameters.items() if name != "self"]
        shown = str(signature.replace(parameters=wanted)) if called else f" -> {signature.return_annotation}"  # fmt: skip
    # Annotations are text where modules say so.
    shown = re.sub(r"((?:: |-> ))'([^']*)'", r"\1\2", shown).replace("<class 'str'>", "str")
    if inspect.iscoroutinefunction(thing):
        call = f"await {call}"
    elif "-> AbstractAsyncContextManager" in shown or "-> AsyncIterator" in shown:
        call = f"async with {call}"
    text = inspect.getdoc(thing) or ""
    return f"## {heading}\n\n```text\n{call}{shown}\n```\n\n{text}\n"


def events() -> str:
    """Every sort of row in the log of events."""
    rows = [f"| `{name}` | {_cell(text)} |" for name, text in EVENTS.items()]
    return (
        "# Events\n\nThe log of what happened and who did it (`actor`): `bellhand audit`, `/v1/audit`, `/v1/events`, kept for `events_days`. Jobs that start and succeed are "
        "not in it one by one. The names of a [stream](../live.md) are on its own page.\n\n| type | says |\n| --- | --- |\n" + "\n".join(rows) + "\n"
    )  # fmt: skip


def kinds() -> str:
    """The kinds of the shipped families with what they take."""
    found = find_kinds([*MODULES, "bellhand.notify"])
    rows = [_row(kind) for _, kind in sorted(found.items())]
    head = "| kind | lane | attempts | timeout | outside | does | takes |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    return (
        "# Kinds\n\nThe kinds of the families that come along. `bellhand kinds NAME` shows the whole schema. Outside: "
        "what a second run does there: nothing, nothing more (keyed), or again what the database does not remember (external).\n\n"
        + head
        + "\n".join(rows)
        + "\n\nOne of each to begin with; `bellhand kinds NAME` has it too, and the schema as `examples`:\n\n```text\n"
        + "\n".join(enqueue_command(name, payload) for name, kind in sorted(found.items()) for payload in examples_of(kind)[:1])
        + "\n```\n"
    )  # fmt: skip


def _row(kind: Kind) -> str:
    timeout = "none" if kind.timeout_seconds is None else f"{kind.timeout_seconds:g} s"
    schema = kind.published().get("schema") or {}
    needed = set(schema.get("required", ()))
    fields = ", ".join(
        f"`{name}`{'*' if name in needed else ''}" for name in schema.get("properties", {})
    )
    text = _cell((kind.handler.__doc__ or "").strip().split("\n\n")[0])
    return f"| `{kind.name}` | {kind.lane} | {kind.attempts_max} | {timeout} | {kind.side_effects or '?'} | {text} | {fields} |"


def sql() -> str:
    """The functions of the contract, each with its arguments and the sentence that it opens with."""
    parts = [
        "# SQL\n\nWhat apps and operators may call. Everything else in the schema is private. Views: `bellhand.all_jobs`, `bellhand.lane_stats`, "
        "`bellhand.service_status`, `bellhand.usage_recent`, `bellhand.channel_status`, `bellhand.eta_calibration`, `bellhand.failure_groups`, `bellhand.stages`.\n"
    ]
    for name in CONTRACT:
        text = (ROOT / "functions" / f"{name}.sql").read_text(encoding="utf-8")
        said = " ".join(line[3:] for line in text.splitlines() if line.startswith("-- ")).split(
            ". "
        )[0]
        for signature in _signatures(text, name):
            parts.append(f"## {name}\n\n```text\n{signature}\n```\n")
            break
        parts.append(said.rstrip(".") + ".\n")
    return "\n".join(parts)


def _signatures(text: str, name: str) -> Iterator[str]:
    """`bellhand.name(arguments) returns what`, as the file has it."""
    for found in re.finditer(
        rf"function (bellhand\.{name}\(.*?\)(?:\s*returns .*?)?)\s+(?:language|as)\b",
        text,
        re.DOTALL,
    ):
        yield re.sub(r"\s+", " ", found[1])


def metrics() -> str:
    """Every series that a daemon exports."""
    shown = Metrics({"example.kind": "default"}, version="0")
    ServiceMetrics(shown.registry)
    # What has no series before something happened has its labels from these.
    shown.answered("/livez", "GET", 200, 0.0)
    shown.schedule_missed("example", 0)
    shown.found("example.kind", {"example": 1})
    shown.set_calibration("start", 1.0, 0.0, 1)
    shown.sampled.set_database(
        {"tables": "{}", "oldest_transaction_seconds": 0.0, "retention_late_seconds": 0.0, "ids_drawn": 0, "duplicates": 0,
         "schedules": '{"example": [0, 0]}'}
    )  # fmt: skip
    canary = {"has_canary": True, "canary_waiting_seconds": 0.0, "canary_back_at": 0.0}
    shown.sampled.set_lanes([{"lane": "default", "canary_roundtrip_seconds": 0.0, **canary}], 0.0)
    registry = shown.registry
    rows = []
    for family in sorted(registry.collect(), key=lambda one: one.name):
        labels: set[str] = set().union(*(sample.labels for sample in family.samples)) - {"le"}
        name = family.name + ("_total" if family.type == "counter" else "")
        rows.append(
            f"| `{name}` | {family.type} | {', '.join(sorted(labels))} | {_cell(family.documentation)} |"
        )
    head = "| metric | type | labels | is |\n| --- | --- | --- | --- |\n"
    return (
        "# Metrics\n\n`GET /metrics` on the status port. No statement runs when Prometheus asks.\n\n"
        + head
        + "\n".join(rows)
        + "\n"
    )


def problems() -> str:
    """Every problem that the HTTP port answers with."""
    parts = [
        "# Problems\n\nErrors over HTTP are `application/problem+json` (RFC 9457). `type` is `/problems/<name>` on the daemon itself, which shows the same text.\n"
    ]
    for slug, sort in sorted(SORTS.items()):
        hint = f"\n\n*{sort.hint}*" if sort.hint else ""
        parts.append(f"## {slug}\n\n**{sort.status}** {sort.title}. {sort.text}{hint}\n")
    return "\n".join(parts)


def _cell(text: Any) -> str:
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|")


if __name__ == "__main__":
    main()
