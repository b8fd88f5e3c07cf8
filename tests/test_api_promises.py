"""The API keeps what its OpenAPI document promises: asked by schemathesis, with what fits and with what does not."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from bellhand.api import status
from bellhand.callers import needed
from bellhand.look import Look
from bellhand.sql import query
from desk import Desk
from ports import whole
from test_api_jobs import ended
from test_status import TOKEN

# What there is, so that not every question ends with 404; schemathesis makes up all the rest.
CONFIG = """
[parameters]
"path.job" = "2"
"path.kind" = "a"
"path.lane" = "default"
"path.schedule" = "s"
"path.channel" = "ops"
"path.subscription" = "night"
"""
# Where more than the form of a request decides whether it is taken, which no schema can say.
DATA = {
    "GET /v1/events": (400,), "GET /v1/jobs": (400, 422), "GET /v1/jobs/{job}/events": (400,), "GET /v1/jobs/{job}/logs": (400,),  # a cursor is one of ours, an order has an index
    "GET /v1/stats/series": (422,),  # not too many buckets
    "PATCH /v1/jobs/{job}": (412, 422),  # If-Match names the version; there is something to change
    "POST /v1/jobs": (422,), "POST /v1/jobs/batch": (422,),  # the kind, its payload, the parents and channels that there are
    "POST /v1/jobs:bulk": (422,),  # the act has what it needs
    "POST /v1/jobs/{job}/reveal": (422,),  # the reason has a letter or a digit in it
    "POST /v1/lanes/{lane}/pause": (422,),  # the end of a pause is still to come
    "PUT /v1/channels/{channel}": (422,),  # an address of its sort
    "PUT /v1/subscriptions/{subscription}": (422,),  # the channel there is; "late" with its seconds
    "PUT /v1/schedules/{schedule}": (422,),  # the expression, the zone, the kind and its payload
}  # fmt: skip
# All checks that there are but object_level_authorization, which asks as two callers who own different things by the same token scheme:
# who enqueues and sees only his own is tested in test_callers.py.
TAKEN = ("2xx", 401, 403, 404, 409, 410)  # 410: somebody purged the job
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "positive_data_acceptance", "missing_required_header",
    "unsupported_method", "allow_header_conformance", "ignored_auth", "use_after_free", "ensure_resource_availability",
)  # fmt: skip
EXAMPLES = 5
SECONDS = 300  # where it takes 40 alone, a busy machine needs three times that


@pytest.mark.timeout(SECONDS + 30)
async def test_schemathesis_finds_nothing(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How fast this machine is, is not what is asked: under load 503 would be the right answer.
    monkeypatch.setitem(Look.__init__.__kwdefaults__, "statement_seconds", 60.0)
    monkeypatch.setattr(status, "needed", lambda request: (needed(request)[0], 60.0))
    # It shows wrong tokens by the hundred, and is to hear 401 each time.
    monkeypatch.setattr(status, "WRONG_TOKENS", 1_000_000)
    desk = Desk(conn)
    await desk.publish("a", "notify.webhook")
    await ended(desk, await desk.insert("a"), "failed", "x")
    await desk.insert("a")
    one = {
        "name": "s",
        "cron": "0 3 * * *",
        "timezone": "UTC",
        "kind": "a",
        "payload": {},
        "priority": 5,
        "missed": "latest",
        "missed_max": 1,
    }
    await conn.fetch(query("publish_schedules"), json.dumps([one]))
    await conn.execute("select bellhand.set_channel('ops', 'webhook', 'https://example.com/hook')")
    await conn.execute("select bellhand.subscribe('night', 'ops', '{failed}')")
    (tmp_path / "schemathesis.toml").write_text(CONFIG + "".join(exceptions()))
    async with whole(dsn, token=SecretStr(TOKEN), requests_burst=1_000_000) as port:
        code, said = await schemathesis(port.base, tmp_path)
    assert code == 0, said


MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[^\s\"',}\]]*(?: UTC)?")
UTC = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d\.\d{6}Z| \d\d:\d\d:\d\d UTC\.?)"
)  # the second in a sentence
LATER = "2999-01-31T13:00:00+01:00"
ASKED: list[tuple[str, str, Any]] = [
    ("POST", "/v1/jobs", {"kind": "a", "run_at": LATER}), ("POST", "/v1/jobs?dry_run=true", {"kind": "a"}),
    ("PATCH", "/v1/jobs/3", {"run_at": "2999-01-31T14:00:00+01:00"}), ("POST", "/v1/jobs:bulk", {"action": "cancel", "filter": {"ids": [3], "since": "2001-01-31T13:00:00+01:00"}, "expected_count": 1}),
    ("POST", "/v1/lanes/default/pause", {"until": LATER}), ("PUT", "/v1/schedules/s", {"cron": "0 3 * * *", "kind": "a"}),
    ("POST", "/v1/schedules/s/run", None), ("POST", "/v1/deploys", {"version": "2"}),
    ("PUT", "/v1/channels/ops", {"kind": "webhook", "address": "https://example.com/hook"}),
    ("PUT", "/v1/subscriptions/night", {"channel": "ops", "on": ["failed"]}), ("POST", "/v1/channels/ops/test", None),
    ("POST", "/v1/channels/ops/disable", None), ("POST", "/v1/tokens", {"name": "t", "scopes": ["read"], "expires_seconds": 60}),
]  # fmt: skip


async def test_every_time_is_told_in_one_form(dsn: str, conn: asyncpg.Connection) -> None:
    """In UTC, to the microsecond, with a Z at its end: whatever the zone of the server, and however deep it lies."""
    base = await conn.fetchval("select current_database()")
    await conn.execute(f"alter database \"{base}\" set timezone to 'Asia/Kolkata'")
    desk = Desk(conn)
    await desk.publish("a", "notify.webhook")
    await desk.measured("a", 60)
    await ended(desk, await desk.insert("a"), "failed", "x")
    await conn.execute("select bellhand.group_failures()")
    await desk.insert("a")
    await desk.claim(await desk.worker())
    told: dict[str, int] = {}

    async def ask(method: str, path: str, body: Any = None) -> Any:
        code, said, _ = await port.ask(path, method, json=body)
        found = MOMENT.findall(json.dumps(said))
        assert [one for one in found if not UTC.fullmatch(one)] == [], (method, path)
        told[f"{method} {path}"] = len(found)
        return code, said

    async with whole(dsn) as port:
        for method, path, body in ASKED:
            code, said = await ask(method, path, body)
            assert code < 300, (path, said)
        (group,) = (await ask("GET", "/v1/failures"))[1]["data"]
        names = {
            "job": 2, "kind": "a", "lane": "default", "schedule": "s", "channel": "ops", "subscription": "night",
            "failure": group["fingerprint"],
        }  # fmt: skip
        await ask("POST", f"/v1/failures/{group['fingerprint']}/mute", {"seconds": 60})
        paths = (await ask("GET", "/openapi.json"))[1]["paths"]
        for path, methods in paths.items():
            if "get" in methods and not path.endswith("/events"):  # a stream does not end
                place = re.sub(r"{(\w+)}", lambda m: str(names.get(m[1], 1)), path)
                code, said = await ask("GET", place)
                assert code == (409 if path.endswith("/result") else 200), (path, said)
    assert told["POST /v1/jobs?dry_run=true"] == 6, "the whole forecast"
    assert sum(told.values()) > 80


def exceptions() -> Iterator[str]:
    """What any operation, and each of DATA, may answer to a request whose form is right."""
    yield f"[checks.positive_data_acceptance]\nexpected-statuses = {json.dumps(TAKEN)}\n"
    for operation, statuses in DATA.items():
        yield f'[[operations]]\ninclude-name = "{operation}"\n'
        yield f"checks.positive_data_acceptance.expected-statuses = {json.dumps([*TAKEN, *statuses])}\n"


async def schemathesis(base: str, folder: Path) -> tuple[int, str]:
    """Its exit code and what it printed; as a process of its own, so that the port has the loop to itself."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{base}/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES),
        "--phases", "coverage,fuzzing,stateful", "--seed", "7", "--generation-database", "none", "--no-color",
        "--workers", "1",  # two threads that parse at once make ast.parse of Python 3.11 raise SystemError (cpython #106905)
        cwd=folder, env=os.environ | {"SCHEMATHESIS_HOOKS": ""}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    return process.returncode or 0, out.decode()
