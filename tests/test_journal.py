"""What journald is told: its own form, fields that people search by, nothing forged, nothing lost when it is away."""

import logging
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog

from bellhand import journal, logs

log = structlog.get_logger()


def read(data: bytes) -> dict[str, str]:
    """An entry in journald's form, as journald takes it apart."""
    found: dict[str, str] = {}
    while data:
        head, _, data = data.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            (size,) = struct.unpack("<Q", data[:8])
            value, data = data[8 : 8 + size], data[9 + size :]
        assert name.decode() not in found
        found[name.decode()] = value.decode()
    return found


class Journald:
    """Plays journald: the stream that a service's output is, and the socket for entries."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "journal")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.socket.settimeout(5)
        self.read_end, write_end = os.pipe()
        self.stream = open(write_end, "w")  # noqa: SIM115 (closed by the fixture)

    def entry(self) -> dict[str, str]:
        data, files, _, _ = socket.recv_fds(self.socket, 1_000_000, 1)
        if files:
            with os.fdopen(files[0], "rb") as given:
                os.lseek(files[0], 0, os.SEEK_SET)
                data = given.read()
        return read(data)


@pytest.fixture
def journald(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journald]:
    made = Journald(tmp_path)
    seen = os.fstat(made.stream.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{seen.st_dev}:{seen.st_ino}")
    monkeypatch.setattr(journal, "ADDRESS", made.address)
    yield made
    made.stream.close()
    os.close(made.read_end)
    made.socket.close()
    structlog.reset_defaults()
    logging.captureWarnings(False)


def test_an_event_is_an_entry_with_the_job_as_fields(journald: Journald) -> None:
    writer = logs.setup("auto", "info", journald.stream)
    token = logs.current.set(SimpleNamespace(id=42, kind="seo.crawl", lane="seo", attempt=2))
    log.warning("page_slow", seconds=1.5, password="hunter22")
    logs.current.reset(token)
    entry = journald.entry()
    writer.close()
    assert {"JOB_ID": "42", "KIND": "seo.crawl", "LANE": "seo", "ATTEMPT": "2", "EVENT": "page_slow", "PRIORITY": "4",
            "BELLHAND_SECONDS": "1.5", "SYSLOG_IDENTIFIER": "bellhand"}.items() <= entry.items()  # fmt: skip
    assert entry["MESSAGE"].startswith("page_slow seconds=1.5")
    assert "hunter22" not in str(entry)


def test_what_others_wrote_begins_no_field_of_its_own(journald: Journald) -> None:
    writer = logs.setup("auto", "info", journald.stream)
    log.error("odd", page="a\nPRIORITY=0\nJOB_ID=1", **{"_uid": 0, "ключ": "v"})
    entry = journald.entry()
    writer.close()
    assert entry["PRIORITY"] == "3"
    assert "JOB_ID" not in entry
    assert entry["BELLHAND_PAGE"] == "a\nPRIORITY=0\nJOB_ID=1"
    assert all(name[0] != "_" and name.isascii() for name in entry)


def test_a_traceback_keeps_its_lines(journald: Journald) -> None:
    writer = logs.setup("auto", "info", journald.stream)
    try:
        raise ValueError("why")
    except ValueError:
        log.exception("broken")
    message = journald.entry()["MESSAGE"]
    writer.close()
    assert message.startswith("broken\nTraceback")
    assert message.endswith("ValueError: why")


def test_what_is_too_long_for_a_datagram_arrives_whole(journald: Journald) -> None:
    data = journal.entry({"event": "long", "level": "info", "text": "x" * 900_000}, "long")
    journal.send(data, journald.address)
    assert len(journald.entry()["BELLHAND_TEXT"]) == 900_000


def test_while_its_socket_is_away_the_stream_takes_the_lines(journald: Journald) -> None:
    os.unlink(journald.address)
    writer = logs.setup("auto", "info", journald.stream)
    log.info("still_said", job=7)
    writer.close()
    said = os.read(journald.read_end, 65536).decode()
    assert said.count("\n") == 1
    assert "JOB_ID=7" in said
    assert writer.dropped == 0


def test_another_stream_than_the_journals_gets_json(
    journald: Journald, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    writer = logs.setup("auto", "info", journald.stream)
    log.info("as_json")
    writer.close()
    assert b'"event":"as_json"' in os.read(journald.read_end, 65536)
