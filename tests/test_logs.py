"""Logs: readable, without secrets, and never in the way."""

import contextvars
import io
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from bellhand import logs
from support import eventually

log = structlog.get_logger()


class Pipe:
    """Both ends of a pipe that logs go into."""

    def __init__(self) -> None:
        self.read_end, write_end = os.pipe()
        self.stream = open(write_end, "w")  # noqa: SIM115 (closed by close)

    def read_all(self) -> str:
        """What is there once the writer has closed."""
        self.stream.close()
        with open(self.read_end) as reader:
            return reader.read()


@pytest.fixture
def said() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Logs as JSON; called, ends the logging and returns the lines."""
    pipe = Pipe()
    old = logging.getLogger().handlers, logging.getLogger().level
    writer = logs.setup("json", "info", pipe.stream)

    def finish() -> list[dict[str, Any]]:
        writer.close()
        return [json.loads(line) for line in pipe.read_all().splitlines()]

    yield finish
    writer.close()
    structlog.reset_defaults()
    logging.captureWarnings(False)
    logging.getLogger().handlers, logging.getLogger().level = old


Said = Callable[[], list[dict[str, Any]]]


def test_a_line_is_an_event_with_its_facts(said: Said) -> None:
    log.info("job_settled", outcome="retry", wait_seconds=1.5)
    log.debug("not_logged")
    (line,) = said()
    assert list(line) == ["at", "level", "event", "outcome", "wait_seconds"]
    assert line["event"] == "job_settled"
    assert line["at"].endswith("Z")


def test_a_handlers_lines_carry_its_job(said: Said) -> None:
    def handler() -> None:
        logs.current.set(SimpleNamespace(id=7, kind="sites.validate", lane="sites", attempt=2))
        log.info("page_fetched")
        logging.getLogger("a.library").warning("watch %s", "out")

    contextvars.copy_context().run(handler)
    log.info("outside")
    ours, theirs, outside = said()
    for line in ours, theirs:
        assert (line["job"], line["kind"], line["attempt"]) == (7, "sites.validate", 2)
    assert theirs["event"] == "watch out"
    assert theirs["logger"] == "a.library"
    assert "job" not in outside


def test_no_secret_gets_out(said: Said) -> None:
    canary = "c4n4ry"
    log.info("by_name", token=canary, api_key=canary, Authorization=canary, db_password=canary)
    log.info("inside", headers={"Cookie": canary, "deep": [{"client_secret": canary}]})
    log.info("as_text", dsn=f"postgresql://me:{canary}@db/x", url=f"https://{canary}@host/path")
    log.info("as_option", text=f"host=db password={canary} and ?access_token={canary}&x=1")
    log.info("as_header", text=f"Authorization: Bearer {canary}", repr=f"{{'secret': '{canary}'}}")
    logging.getLogger("lib").error("cannot reach %s", f"redis://:{canary}@host")
    try:
        raise ValueError(f"postgresql://me:p@ss{canary}@db failed")
    except ValueError:
        log.exception("failed", error=ValueError(f"secret={canary}"))
    lines = said()
    assert canary not in json.dumps(lines)
    assert lines[2]["dsn"] == "postgresql://***@db/x"
    assert "ValueError" in lines[-1]["exception"]


def test_what_is_no_secret_stays(said: Said) -> None:
    log.info("x", tokens=512, key_count=3, keyboard="yes", url="https://host/@me?q=a@b", none=None)
    (line,) = said()
    assert line["tokens"] == 512
    assert line["keyboard"] == "yes"
    assert line["url"] == "https://host/@me?q=a@b"
    assert line["none"] is None


def test_control_characters_cannot_fake_a_line(said: Said) -> None:
    log.info("a\nb\x1b[31m", text='\u202e\x9b\x00\ud800"', name="Zoë 東京")
    (line,) = said()
    assert line["event"] == "a\nb\x1b[31m", "JSON carries it escaped"
    assert line["name"] == "Zoë 東京"


def test_the_bytes_of_a_json_line_are_harmless() -> None:
    raw = logs._json(None, "info", {"event": "\x1b\u202e\u2028\ud800\x9b\n"})
    assert raw == b'{"event":"\\u001b\\u202e\\u2028\\ud800\\u009b\\n"}\n'


def test_a_terminal_gets_escapes_as_text() -> None:
    pipe = Pipe()
    writer = logs.setup("console", "info", pipe.stream)
    log.info("evil\x1b[2J\nsecond", text="a\rb\ud800", password="c4n4ry")
    writer.close()
    text = pipe.read_all()
    structlog.reset_defaults()
    assert text.count("\n") == 1
    assert "\\x1b[2J\\nsecond" in text
    assert "\x1b" not in text
    assert "c4n4ry" not in text


def test_long_values_are_cut_in_the_middle(said: Said) -> None:
    log.info("long", text="a" * 100_000 + "z")
    (line,) = said()
    assert len(line["text"]) < 10_100
    assert "characters left out" in line["text"]
    assert line["text"].endswith("z")


def test_what_json_does_not_know_is_shown_as_text(said: Said) -> None:
    loop: list[Any] = []
    loop.append(loop)
    log.info("odd", error=ValueError("why"), ids={1}, deep=loop, raw=b"\xff")
    (line,) = said()
    assert line["error"] == "why"
    assert line["ids"] == [1]
    assert line["raw"] == "b'\\xff'"


def test_levels_are_counted_and_can_be_changed() -> None:
    counted: list[str] = []
    with open(os.devnull, "w") as nowhere:
        writer = logs.setup("json", "warning", nowhere, counted.append)
        log.info("no")
        log.warning("yes")
        logs.set_level("debug")
        log.debug("yes")
        writer.close()
    structlog.reset_defaults()
    assert counted == ["warning", "debug"]


async def test_a_full_pipe_stops_nobody_and_the_loss_is_told() -> None:
    pipe = Pipe()
    writer = logs.setup("json", "info", pipe.stream)
    try:
        started = time.monotonic()
        lines = 30_000
        for n in range(lines):
            log.info("line", n=n, padding="x" * 400)
        assert time.monotonic() - started < 20, "nobody read, and nobody waited"
        assert writer.dropped > 0
        read: list[dict[str, Any]] = []

        def drain() -> None:
            with open(pipe.read_end) as reader:
                read.extend(json.loads(line) for line in reader)

        reader = threading.Thread(target=drain)
        reader.start()
        await eventually(lambda: any(line["event"] == "log_lines_dropped" for line in list(read)))
        log.info("afterwards")
        writer.close()
        pipe.stream.close()
        reader.join(10)
    finally:
        structlog.reset_defaults()
    told = sum(line["lines"] for line in read if line["event"] == "log_lines_dropped")
    assert told == writer.dropped
    assert told + sum(line["event"] == "line" for line in read) == lines
    assert read[-1]["event"] == "afterwards", "and it flows again"


def test_a_pipe_that_is_gone_breaks_nothing() -> None:
    pipe = Pipe()
    os.close(pipe.read_end)
    writer = logs.setup("json", "info", pipe.stream)
    log.info("to nobody")
    writer.close()
    pipe.stream.close()
    structlog.reset_defaults()
    assert writer.dropped == 1


def test_a_closed_stream_s_number_may_be_another_file_s(tmp_path: Path) -> None:
    """Lines of the log went into whatever got the number next: a customer's file, a connection."""
    other = tmp_path / "other"
    with (tmp_path / "log").open("w") as stream:
        number = stream.fileno()
        writer = logs.setup("json", "info", stream)
    with other.open("w") as file:
        assert file.fileno() == number
        log.info("late")
        writer.close()
    structlog.reset_defaults()
    assert other.read_text() == ""
    assert json.loads((tmp_path / "log").read_text())["event"] == "late"
    writer.close()  # as atexit does after a close by hand: nobody else's number is closed


def test_a_pipe_made_non_blocking_by_somebody_else_still_works() -> None:
    pipe = Pipe()
    os.set_blocking(pipe.stream.fileno(), False)
    writer = logs.setup("json", "info", pipe.stream)
    for _ in range(1000):
        log.info("line", padding="x" * 400)
    read = io.StringIO()

    def drain() -> None:
        with open(pipe.read_end) as reader:
            read.write(reader.read())

    reader = threading.Thread(target=drain)
    reader.start()
    writer.close()
    pipe.stream.close()
    reader.join(10)
    structlog.reset_defaults()
    assert len(read.getvalue().splitlines()) == 1000
