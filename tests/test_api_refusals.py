"""Whatever arrives, a refusal is a problem document that says where it is wrong: requests that are none, bodies, forms, payloads."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from bellhand.api.connections import LINE_BYTES_MAX
from bellhand.kinds import checks
from desk import Desk
from ports import whole

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
POST = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nContent-Type: %s\r\n%s\r\n%s"
JSON, FORM = b"application/json", b"application/x-www-form-urlencoded"


def post(body: bytes, kind: bytes = JSON, more: bytes = b"", path: bytes = b"/v1/jobs") -> bytes:
    return POST % (path, len(body), kind, more, body)


RAW = {
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad_request"),
    "no method": (b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "no version": (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
    "no host": (b"GET /v1/jobs HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "two hosts": (GET % (b"/v1/jobs", b"Host: evil\r\n"), 400, "bad_request"),
    "no colon": (GET % (b"/", b"Accept all\r\n"), 400, "bad_request"),
    "NUL in a header": (GET % (b"/", b"X: a\0b\r\n"), 400, "bad_request"),
    "raw bytes": (GET % (b"/v1/jobs/\xe9", b""), 400, "bad_request"),
    "no port": (GET % (b"http://localhost:99999999/v1/jobs", b""), 400, "bad_request"),
    "other host": (GET % (b"http://evil.example/v1/jobs", b""), 421, "misdirected"),
    "long line": (GET % (b"/" + b"a" * LINE_BYTES_MAX, b""), 414, "line_too_long"),
    "long header": (GET % (b"/", b"X: " + b"a" * 9000 + b"\r\n"), 431, "headers_too_large"),
    "many headers": (GET % (b"/", b"".join(b"X-%d: 1\r\n" % n for n in range(99))), 431, "headers_too_large"),
    "no length": (GET % (b"/", b"Content-Length: abc\r\n"), 400, "bad_request"),
    "two lengths": (post(b"{}", more=b"Transfer-Encoding: chunked\r\n"), 400, "bad_request"),
    "no chunk": (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "bad_request"),
    "expectation": (post(b"{}", more=b"Expect: tea\r\n"), 417, "expectation_failed"),
    "expectation nowhere": (post(b"{}", more=b"Expect: tea\r\n", path=b"/none"), 417, "expectation_failed"),
    "gzip that is none": (post(b"abc", more=b"Content-Encoding: gzip\r\n"), 400, "bad_request"),
    "unknown encoding": (post(b"abc", more=b"Content-Encoding: tea\r\n"), 415, "unsupported_media_type"),
    "encoding that we do not take": (post(b"x", more=b"Content-Encoding: br\r\n"), 415, "unsupported_media_type"),
    "type that is none": (post(b"{}", b";;;\xff"), 415, "unsupported_media_type"),
    "form that is none": (post(b"a=\xff", FORM, path=b"/login"), 400, "bad_request"),
    "charset that is none": (post(b"a=%ff", FORM + b"; charset=tea", path=b"/jobs/bulk"), 400, "bad_request"),
    "parts without end": (post(b"--x\r\nabc", b"multipart/form-data; boundary=x", path=b"/jobs/bulk"), 400, "bad_request"),
    "parts without bound": (post(b"{}", b"multipart/form-data", path=b"/jobs/bulk"), 400, "bad_request"),
    "method": (GET.replace(b"GET", b"TRACE") % (b"/v1/jobs", b""), 405, "method_not_allowed"),
    "star": (GET.replace(b"GET", b"OPTIONS") % (b"*", b""), 404, "not_found"),
    "NUL in a path": (GET % (b"/v1/jobs/%00", b""), 400, "bad_job_id"),
    "NUL in a name": (post(b"", path=b"/v1/lanes/%00/pause"), 422, "invalid_value"),
    "NUL in a question": (GET % (b"/v1/jobs?kind=%00", b""), 422, "invalid_request"),
    "NUL in a payload": (post(b'{"kind": "a", "payload": {"x": "\\u0000"}}'), 422, "invalid_value"),
    "deep": (post(b'{"kind": "a", "payload": ' + b'{"a":' * 6000 + b"1" + b"}" * 6001), 400, "bad_json"),
    "large number": (post(b'{"kind": "a", "priority": %s}' % (b"9" * 400)), 422, "invalid_request"),
    "bad UTF-8": (post(b'{"kind": "\xff"}'), 400, "bad_json"),
    "UTF-16": (post('{"kind": "a"}'.encode("utf-16")), 400, "bad_json"),
}  # fmt: skip


@pytest.fixture
async def desk(conn: asyncpg.Connection) -> Desk:
    desk = Desk(conn)
    schema = {
        "type": "object", "required": ["locations", "depth"], "additionalProperties": False,
        "properties": {
            "locations": {"type": "array", "minItems": 1, "items": {"type": "string", "maxLength": 9}},
            "depth": {"type": "integer", "minimum": 1}, "mode": {"type": "string", "enum": ["fast", "deep"]},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "site": {"$ref": "#/$defs/Site"},
        },
        "$defs": {"Site": {"type": "object", "required": ["url"], "additionalProperties": False,
                           "properties": {"url": {"type": "string", "pattern": "^https?:"}}}},
    }  # fmt: skip
    await desk.publish("a")
    await desk.publish("search", schema=schema, checks=checks(schema))
    return desk


async def said(port: int, raw: bytes) -> tuple[int, str, dict[str, Any]]:
    """Status, media type and body of the answer to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(60):
            writer.write(raw)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await reader.readexactly(int(lines["content-length"]))
    finally:
        writer.close()
    return int(head.split()[1]), lines["content-type"], json.loads(body)


async def test_what_is_no_request_is_answered_with_a_problem(dsn: str, desk: Desk) -> None:
    async with whole(dsn) as port:
        number = int(port.base.rpartition(":")[2])
        for name, (raw, status, code) in RAW.items():
            found, kind, problem = await said(number, raw)
            assert (found, kind.partition(";")[0]) == (status, "application/problem+json"), name
            assert (problem["code"], problem["status"]) == (code, status), (name, problem)
            assert problem["hint"], name
            assert await port.status(problem["type"]) == 200, name


async def test_who_is_turned_away_at_the_door_hears_why(dsn: str) -> None:
    async with whole(dsn, connections_max=1) as port:
        number = int(port.base.rpartition(":")[2])
        _, held = await asyncio.open_connection("127.0.0.1", number)
        try:
            found, _, problem = await said(number, b"")
        finally:
            held.close()
    assert (found, problem["code"]) == (503, "too_many_connections")


async def refused(dsn: str, *jobs: dict[str, Any], path: str = "/v1/jobs") -> dict[str, Any]:
    """The problem, its errors as {pointer: detail}."""
    async with whole(dsn) as port:
        body = list(jobs) if path.endswith("batch") else jobs[0]
        code, problem, _ = await port.post(path, body)
    assert code == 422, problem
    return {**problem, "errors": {one["pointer"]: one["detail"] for one in problem["errors"]}}


async def test_all_that_is_wrong_with_a_body_is_named_where_it_stands(dsn: str, desk: Desk) -> None:
    wrong = {
        "kind": 1,
        "priority": 11,
        "tags": {"a": [1], "b": 2},
        "depends_on": [1, 1.5, "x"],
        "payolad": {},
    }
    problem = await refused(dsn, wrong)
    assert problem["errors"].keys() == {
        "#/kind", "#/priority", "#/tags/a", "#/depends_on/1", "#/depends_on/2", "#/payolad"
    }  # fmt: skip
    assert "id nor the key" in problem["errors"]["#/depends_on/2"]
    problem = await refused(
        dsn, {"kind": "a"}, {"kind": "a", "run_at": "soon"}, {}, path="/v1/jobs/batch"
    )
    assert problem["errors"].keys() == {"#/jobs/1/run_at", "#/jobs/2/kind"}


async def test_what_is_too_large_is_named(dsn: str, desk: Desk) -> None:
    many = [
        {"on": ["failed"], "to": f"{n}{'x' * 60}@{'y' * 60}.{'z' * 60}.example"} for n in range(50)
    ]
    for name, value in (("tags", {"a": "x" * 10_000}), ("notify", many)):
        problem = await refused(dsn, {"kind": "a", name: value})
        (place, said), *_ = problem["errors"].items()
        assert (place, "at most 10,000 bytes" in said) == (f"#/{name}", True), problem


async def test_all_that_is_wrong_with_a_payload_is_named_however_deep(dsn: str, desk: Desk) -> None:
    payload = {
        "locations": ["Dhaka", 5, "Singapore and Delhi"], "mode": "slow", "note": 5, "site": {"url": "x", "y/z": 1}, "lokations": 1
    }  # fmt: skip
    problem = await refused(dsn, {"kind": "search", "payload": payload})
    assert problem["code"] == "invalid_payload"
    assert problem["hint"] == "see what search takes: /v1/kinds/search/schema"
    assert problem["errors"] == {
        "#/payload/locations/1": "must be string, not number", "#/payload/locations/2": "must have at most 9 characters",
        "#/payload/depth": "is missing", "#/payload/mode": 'must be one of ["fast", "deep"]', "#/payload/note": "must be string, null, not number",
        "#/payload/site/url": '"x" does not match "^https?:"', "#/payload/site/y~1z": "is unknown",
        "#/payload/lokations": "is unknown; did you mean 'locations'?",
    }  # fmt: skip
    fits = {"locations": ["Dhaka"], "depth": 1}
    nested = {"kind": "search", "payload": fits | {"site": {"url": 1}}}
    assert (await refused(dsn, nested, path="/v1/jobs?dry_run=true"))["errors"].keys() == {
        "#/payload/site/url"
    }
    many = [
        {"kind": "search", "payload": fits},
        *[{"kind": "search", "payload": {"locations": [1]}}] * 300,
    ]
    problem = await refused(dsn, *many, path="/v1/jobs/batch")
    assert len(problem["errors"]) == 50
    assert next(iter(problem["errors"])).startswith("#/jobs/1/payload/")
    assert "and 49 more" in problem["detail"]
    assert await desk.conn.fetchval("select count(*) from bellhand.jobs") == 0


async def test_a_request_that_was_taken_is_answered_again_though_its_kind_has_become_stricter(
    dsn: str, desk: Desk
) -> None:
    key = {"Idempotency-Key": "k"}
    async with whole(dsn) as port:
        code, first, _ = await port.post("/v1/jobs", {"kind": "a", "payload": {"x": 1}}, **key)
        assert code == 202
    await desk.publish("a", schema={"type": "object", "properties": {"x": {"type": "string"}}})
    async with whole(dsn) as port:
        assert (await port.post("/v1/jobs", {"kind": "a", "payload": {"x": 1}}))[0] == 422
        code, again, headers = await port.post(
            "/v1/jobs", {"kind": "a", "payload": {"x": 1}}, **key
        )
        assert (code, again["id"], headers["Idempotency-Replayed"]) == (202, first["id"], "true")


async def test_a_schema_that_is_none_or_points_elsewhere_stops_nobody(dsn: str, desk: Desk) -> None:
    elsewhere = {"type": "object", "properties": {"x": {"$ref": "http://127.0.0.1:9/schema"}}}
    for number, schema in enumerate(({"type": "tea"}, elsewhere)):
        await desk.publish(f"k{number}", schema=schema)
        async with whole(dsn) as port:
            assert (await port.post("/v1/jobs", {"kind": f"k{number}", "payload": {"x": 1}}))[
                0
            ] == 202
