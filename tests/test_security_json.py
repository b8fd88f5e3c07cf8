"""Every kind of JSON there is, through HTTP: taken as it is or refused with a reason, never an error of ours.

Through SQL, with what daemons make of it, the same texts go in the fault F34.
"""

import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from desk import Desk
from faults.texts import OWN_PAYLOADS, payloads
from ports import whole
from support import cpu_at_most

JSON = {"Content-Type": "application/json"}
BYTES_MAX = 3_000_000  # what is larger costs the client more than the port
REFUSED = (400, 413, 422)
FRAMES = {
    "inside the payload": (b'{"kind": "s.json", "payload": {"x": ', b"}}"),
    "a batch": (b'{"jobs": [{"kind": "s.json", "payload": {"x": ', b"}}]}"),
    "the whole body": (b"", b""),
}


@pytest.fixture(params=["ours", "public"])
def texts(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "ours":
        return {name: text for name, text in OWN_PAYLOADS.items() if len(text) < BYTES_MAX}
    folder: Path = request.getfixturevalue("test_data")
    assert len(list((folder / "json" / "test_parsing").glob("*.json"))) > 300
    return {name: text for name, text in payloads().items() if name not in OWN_PAYLOADS}


@pytest.mark.parametrize("frame", FRAMES)
async def test_no_json_breaks_the_port(
    dsn: str, conn: asyncpg.Connection, texts: dict[str, str], frame: str
) -> None:
    await Desk(conn).publish("s.json")
    before, after = FRAMES[frame]
    path = "/v1/jobs/batch" if frame == "a batch" else "/v1/jobs"
    taken: list[Any] = []
    async with (
        whole(dsn, requests_burst=100_000) as port,
        aiohttp.ClientSession(port.base) as session,
    ):
        for name, text in texts.items():
            body = before + text.encode(errors="surrogateescape") + after
            async with session.post(path, data=io.BytesIO(body), headers=JSON) as answer:
                told = await answer.json(content_type=None)
            if answer.status == 202:
                taken.append(text)
                continue
            assert answer.status in REFUSED, (name, answer.status, told)
            assert answer.content_type == "application/problem+json", name
            assert (told["status"], bool(told["title"])) == (answer.status, True), name
    rows = await conn.fetch("select payload::text, tags::text from bellhand.jobs order by id")
    assert len(rows) == len(taken)
    if frame in ("inside the payload", "a batch"):
        assert len(taken) > len(texts) / 6
        for text, row in zip(taken, rows, strict=True):
            stored = number_by_number(row["payload"])["x"]
            assert stored == number_by_number(text), text[:200]


TWICE = [
    (b'{"kind": "s.json", "kind": "s.json"}', ["#/kind"]),
    (b'{"kind": "s.json", "payload": {"a/b": [{}, {"x": 1, "y": 2, "x": 1}]}}', ["#/payload/a~1b/1/x"]),
    (b'{"kind": "s.json", "payload": {"\\u0061": 1, "a": 2, "": 1, "": 1}}', ["#/payload/a", "#/payload/"]),
    (b'{"kind": "s.json", "payload": {"x": ' + b'{"x":' * 900 + b'{"y":0,"y":0}' + b"}" * 902, ["#/payload" + "/x" * 901 + "/y"]),
    (b'{"kind": "s.json", "payload": {"x": [' + b'{"y":0,"y":0},' * 60 + b"0]}}", None),
]  # fmt: skip

NUL = [
    (b'{"kind": "s.json", "payload": {"a": ["x", "\\u0000"]}}', ["#/payload/a/1"]),
    (b'{"kind": "s.json", "tags": {"\\u0000": 1}}', ["#/tags/\0"]),
    (b'"\\u0000"', ["#"]),
]  # fmt: skip


async def test_a_name_that_comes_twice_and_a_text_with_a_nul_are_refused_where_they_stand(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """Which of the two counts, no two readers of JSON agree on (RFC 7493, 2.3); no text of Postgres holds the other."""
    await Desk(conn).publish("s.json")
    async with whole(dsn) as port:
        for body, places in TWICE:
            code, told, _ = await port.ask("/v1/jobs", "POST", JSON, data=body)
            assert (code, told["code"]) == (400, "bad_json"), body[:200]
            found = [error["pointer"] for error in told["errors"]]
            assert found == places if places else len(found) == 50
        for body, places in NUL:
            code, told, _ = await port.ask("/v1/jobs", "POST", JSON, data=body)
            found = [(error["pointer"], error["detail"]) for error in told["errors"]]
            assert (code, found) == (422, [(place, "no text holds the character NUL") for place in places])  # fmt: skip
        # A long name on the way to many: to tell where each is must not take their product in memory.
        wide = (
            b'{"kind": "s.json", "payload": {"'
            + b"n" * 200_000
            + b'": ['
            + b'"\\u0000",' * 50_000
            + b"0]}}"
        )
        with cpu_at_most(5):
            code, told, _ = await port.ask("/v1/jobs", "POST", JSON, data=wide)
        assert (code, len(told["errors"])) == (422, 50)
        assert len(json.dumps(told)) < 400_000
        fine = b'{"kind": "s.json", "payload": {"x": "\\\\u0000"}, "priority": 11}'
        code, told, _ = await port.ask("/v1/jobs", "POST", JSON, data=fine)
        assert [error["pointer"] for error in told["errors"]] == ["#/priority"]
        lines = b'{"kind": "s.json"}\n{"kind": "s.json", "owner": "a", "owner": "b"}\n'
        code, told, _ = await port.ask(
            "/v1/jobs/batch", "POST", {"Content-Type": "application/x-ndjson"}, data=lines
        )
        assert (code, told["detail"]) == (400, "line 2: #/owner is there twice in one object")
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 0


async def test_ten_thousand_unknown_names_cost_no_more_than_a_few(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """Each cost a schema of its own once: one request of 100 kB held the daemon up for minutes."""
    body = {"kind": "s.json"} | {f"kin{n}": n for n in range(10_000)}
    async with whole(dsn) as port:
        with cpu_at_most(20):
            code, told, _ = await port.post("/v1/jobs", body)
    assert code == 422
    assert len(told["errors"]) == 51
    assert told["errors"][0]["detail"] == "is unknown; did you mean 'kind'?"
    assert told["errors"][-1]["detail"] == "9950 more things do not fit"


def number_by_number(text: str) -> Any:
    """Postgres keeps 1e3 as 1000: what counts is the number."""
    return json.loads(text, parse_int=float)
