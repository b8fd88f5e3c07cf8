"""What others wrote is shown as text: it fakes no line of a log and does nothing to a terminal."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from bellhand import logs
from bellhand.sql import query
from commands import Bellhand, bare, bellhand
from security import OURS, public_strings

# Everything that moves a cursor, starts an escape, ends a line or turns the direction of writing.
ACTIVE = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\r\n2026-01-01 [info] all is well\x08\x7f\u2028"
CONTROL_IN_JSON = HOSTILE + "\x0b\x85"


@pytest.fixture(params=["ours", "public"])
def strings(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "ours":
        return [*OURS, HOSTILE, "\ud800", "\0"]
    return public_strings(request.getfixturevalue("test_data"))


def logged(format: Any, say: Callable[[Any], None], path: Path) -> str:
    """What a daemon's log has after `say(log)`."""
    with path.open("w") as stream:
        writer = logs.setup(format, "debug", stream)
        say(structlog.get_logger())
        writer.close()
    structlog.reset_defaults()
    return path.read_bytes().decode()


def every_way(strings: list[str]) -> Callable[[Any], None]:
    def say(log: Any) -> None:
        for s in strings:
            log.info(s or "empty", text=s, nested={"a": [s, {"b": s}]}, error=ValueError(s))
            log.warning("by_name", **{"k" + s: "value"})
            logging.getLogger("library").warning("%s", s)

    return say


def test_a_text_is_one_line_of_the_log_and_nothing_more(strings: list[str], tmp_path: Path) -> None:
    for format in ("json", "console"):
        text = logged(format, every_way(strings), tmp_path / format)
        assert text.endswith("\n")
        lines = text[:-1].split("\n")
        assert len(lines) == 3 * len(strings)
        assert not ACTIVE.search(text)
        if format == "json":
            told = [json.loads(line) for line in lines[::3]]
            for s, entry in zip(strings, told, strict=True):
                assert list(entry)[:3] == ["at", "level", "event"]
                assert entry["level"] == "info"
                if logs._hidden_text(s) == s:
                    assert (entry["event"], entry["text"]) == (s or "empty", s)


def test_a_traceback_has_lines_but_no_escapes(tmp_path: Path) -> None:
    def say(log: Any) -> None:
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            log.exception("failed")

    assert len(logged("json", say, tmp_path / "json").splitlines()) == 1
    text = logged("console", say, tmp_path / "console")
    assert not ACTIVE.search(text)
    assert r"\x1b[2J" in text


SECRETS = [
    "password=c4n4ry", "PGPASSWORD=c4n4ry psql", "passwd: 'c4n4ry c4n4ry'", '{"api_key": "c4n4ry,c4n4ry"}', "X-Api-Key: c4n4ry",
    "{'Authorization': 'Digest c4n4ry', 'x': 1}", "Authorization: AWS4-HMAC-SHA256 Credential=c4n4ry", "Proxy-Authorization: Basic c4n4ry",
    "Cookie: a=c4n4ry; b=c4n4ry", "Set-Cookie: session=c4n4ry; Path=/", "clientSecret=c4n4ry", "?access_token=c4n4ry&x=1", "token = c4n4ry",
    json.dumps(json.dumps({"password": "c4n4ry c4n4ry"})), "postgresql://me:c4n4ry/c4n4ry@db/x", "postgres://me:c4n4ry#?c4n4ry@db/x",
    "redis://:c4n4ry@host", "https://c4n4ry@host/path", "Bearer c4n4ry.c4n4ry", repr({"secret": "c4n4ry"}), "passphrase: c4n4ry",
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_a_text_is_hidden_wherever_the_text_is_cut(secret: str, tmp_path: Path) -> None:
    half = logs.TEXT_CHARS_MAX // 2

    def say(log: Any) -> None:
        log.info("whole", text=f"before {secret} after")
        # The cut falls into each letter of it, from both sides.
        for n in range(len(secret) + 8):
            log.info("head", text="x" * (half - n) + " " + secret + " y" * half)
            log.info("tail", text="x " * half + secret + " " + "y" * (half - n))

    text = logged("json", say, tmp_path / "log")
    assert text.count("\n") == 1 + 2 * (len(secret) + 8)
    for piece in ("c4n4", "4n4r", "n4ry"):
        assert piece not in text


@pytest.fixture
def shown(bellhand: Bellhand) -> Bellhand:
    """The program, over a database in which every text that others can write is hostile."""
    schema = {"properties": {HOSTILE: {"type": "string", "description": HOSTILE}}, "required": []}
    bellhand.kind("a", summary=HOSTILE, schema=schema)
    bellhand.sql("update bellhand.meta set value = 'hold' where name = 'unknown_kinds'")
    columns = {
        "owner": HOSTILE,
        "tags": json.dumps({HOSTILE: HOSTILE}),
        "payload": json.dumps({HOSTILE: HOSTILE}),
    }
    bellhand.job(HOSTILE, unique_key=HOSTILE, **columns)
    bellhand.job("a", unique_key="waits" + HOSTILE, **columns)
    failed = bellhand.over("failed", error=f"Traceback\n{HOSTILE}", unique_key=HOSTILE, **columns)
    running = bellhand.running(unique_key="runs" + HOSTILE, **columns)
    said = json.dumps(
        {"message": HOSTILE, "stage": HOSTILE, "step": HOSTILE, "counters": {HOSTILE: 3}}
    )
    bellhand.sql("update bellhand.jobs set progress = $1 where id = $2", said, running)
    bellhand.sql("update bellhand.workers set name = $1, host = $1", HOSTILE)
    for number, job in enumerate((failed, running)):
        bellhand.sql(
            "insert into bellhand.steps (job, name, position, state, error, result, counters, finished_at) values"
            " ($1, $2, 1, 'failed', $2, null, null, now()), ($1, $2 || 'ok', 2, 'completed', null, $3, $4, now())",
            job, HOSTILE + str(number), json.dumps(HOSTILE), json.dumps({HOSTILE: 1}),
        )  # fmt: skip
        bellhand.sql(
            "insert into bellhand.events (type, job, kind, actor, data) values ('note', $1, 'a', $2, $3)",
            job, HOSTILE, json.dumps({HOSTILE: HOSTILE.replace("\n", "")}),
        )  # fmt: skip
    bellhand.sql("select bellhand.pause_lane('default', $1)", HOSTILE)
    bellhand.sql("select bellhand.pause_kind('a', $1)", HOSTILE)
    bellhand.sql(
        "insert into bellhand.schedules (name, cron, timezone, kind, error) values ('s', $1, $1, $1, $1)",
        HOSTILE,
    )
    return bellhand


COMMANDS = [
    ("list",), ("list", "-q"), ("list", "--state", "failed"), ("show", "1", "2", "3", "4"), ("why", "1"), ("why", "2"), ("why", "3"), ("why", "4"),
    ("watch", "4", "--timeout", "300ms"), ("status",), ("schedules",), ("kinds",), ("kinds", "a"), ("cancel", "3"), ("retry", "4"),
    ("enqueue", HOSTILE, "{}"), ("enqueue", "a", HOSTILE), ("list", "--state", HOSTILE), ("show", HOSTILE), ("list", "--owner", HOSTILE), (HOSTILE,),
]  # fmt: skip


def test_no_command_lets_a_text_play_with_the_terminal(shown: Bellhand) -> None:
    heard = 0
    for words in COMMANDS:
        said = shown(*words)
        for text in (said.out, said.err):
            assert not ACTIVE.search(text), words
            assert "\n2026-01-01 [info]" not in text, f"{words}: a line of its own"
            heard += text.count(r"\x1b[2J")
    assert heard > 40, "the texts were to be shown"
    rows = shown.ok("list").out.splitlines()
    assert len(rows) == 1 + 5, "a line a job"


def test_json_for_programs_is_inert_too(shown: Bellhand) -> None:
    for words in COMMANDS:
        if "watch" not in words:
            said = shown(*words, "--json")
            for text in (said.out, said.err):
                assert not ACTIVE.search(text), words


def test_what_daemons_write_of_themselves_is_text_as_well(shown: Bellhand) -> None:
    shown.sql("update bellhand.workers set version = $1, lanes = array[$1]", HOSTILE)
    assert not ACTIVE.search(shown.ok("status").out)
