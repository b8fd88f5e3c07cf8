"""The API keeps what its OpenAPI document promises: asked by schemathesis, with what fits and with what does not."""

import asyncio
import json
import os
import sys
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from bellhand.api import status
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
"""
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "missing_required_header", "unsupported_method", "ignored_auth",
)  # fmt: skip
EXAMPLES = 5
SECONDS = 120


@pytest.mark.timeout(SECONDS + 30)
async def test_schemathesis_finds_nothing(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    async with whole(dsn, token=SecretStr(TOKEN), requests_burst=1_000_000) as port:
        code, said = await schemathesis(port.base, tmp_path)
    assert code == 0, said


async def schemathesis(base: str, folder: Path) -> tuple[int, str]:
    """Its exit code and what it printed; as a process of its own, so that the port has the loop to itself."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{base}/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES),
        "--phases", "coverage,fuzzing", "--seed", "7", "--generation-database", "none", "--no-color", "--workers", "2",
        cwd=folder, env=os.environ | {"SCHEMATHESIS_HOOKS": ""}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    return process.returncode or 0, out.decode()
