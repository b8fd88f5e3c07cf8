"""Over HTTP: where notifications go, and who is told of what."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json

from bellhand.sql import query
from desk import Desk
from ports import Client
from test_api_control import desk, port


async def test_a_webhook_is_made_tested_held_and_given_a_new_secret(
    port: Client, desk: Desk
) -> None:
    await desk.publish("notify.webhook", lane="notify")
    hook = {"kind": "webhook", "address": "https://example.com/hook/secret-path"}
    code, said, _ = await port.ask("/v1/channels/ops", "PUT", json=hook)
    assert (code, said["secret"][:6]) == (200, "whsec_")
    assert (await port.ask("/v1/channels/ops", "PUT", json=hook))[1]["secret"] is None
    refused = await port.ask("/v1/channels/ops", "PUT", json=hook | {"address": "ftp://x"})
    assert (refused[0], refused[1]["errors"][0]["pointer"]) == (422, "#/address")
    code, again, _ = await port.post("/v1/channels/ops/rotate-secret", {"keep_seconds": 60})
    assert (code, again["secret"] != said["secret"]) == (200, True)
    shown = await port.ask("/v1/channels/ops")
    assert (shown[0], shown[1]["address"], shown[1]["told"]) == (200, "example.com", [])
    assert "secret-path" not in json.dumps((await port.ask("/v1/channels"))[1])
    code, _, headers = await port.post("/v1/channels/ops/test")
    assert (code, (await port.ask(headers["Location"]))[1]["kind"]) == (202, "notify.webhook")
    assert (await port.post("/v1/channels/ops/disable", {"reason": "x"}))[1][
        "disabled_reason"
    ] == "x"
    assert (await port.post("/v1/channels/ops/enable"))[1]["disabled_at"] is None
    assert (await port.post("/v1/channels/ops/replay", {"seconds": 3600}))[:2] == (
        202,
        {"channel": "ops", "jobs": 0},
    )
    for body in ({"kind": "webhook", "address": "ftp://x"}, {"kind": "email", "address": "nobody"}):
        code, said, _ = await port.ask("/v1/channels/bad", "PUT", json=body)
        assert (code, said["code"]) == (422, "invalid_value")
    assert (await port.post("/v1/channels/none/test"))[0] == 404


async def test_a_channel_is_subscribed_to_jobs_and_both_are_taken_out(
    port: Client, desk: Desk
) -> None:
    mail = {"kind": "email", "address": "ops@example.com"}
    assert (await port.ask("/v1/channels/ops", "PUT", json=mail))[0] == 200
    asked = {"channel": "ops", "on": ["failed", "late"], "kinds": "a.*", "late_seconds": 60}
    code, made, _ = await port.ask("/v1/subscriptions/night", "PUT", json=asked)
    assert (code, made) == (200, {"name": "night", "source": "sql", **asked, "late_seconds": 60.0})
    assert (await port.ask("/v1/channels/ops"))[1]["told"] == ["failed, late of a.*"]
    changed = {"channel": "ops", "on": ["completed"]}
    code, made, _ = await port.ask("/v1/subscriptions/night", "PUT", json=changed)
    assert (code, made["kinds"], made["late_seconds"]) == (200, "*", None)
    assert (await port.ask("/v1/subscriptions"))[1]["data"] == [made]
    for body, place in (
        (asked | {"channel": "nowhere"}, "#/channel"), (asked | {"late_seconds": None}, "#/late_seconds"),
        (changed | {"kinds": "A b"}, "#/kinds"), (changed | {"on": ["lost"]}, "#/on/0"), (changed | {"on": []}, "#/on"),
    ):  # fmt: skip
        code, said, _ = await port.ask("/v1/subscriptions/x", "PUT", json=body)
        assert (code, [error["pointer"] for error in said["errors"]]) == (422, [place]), said
    code, said, _ = await port.ask("/v1/subscriptions/a%20b", "PUT", json=changed)
    assert (code, said["hint"]) == (422, "1 to 100 letters, digits, _ . : and -")
    code, said, _ = await port.ask("/v1/subscriptions/nihgt")
    assert (code, said["hint"]) == (404, "did you mean night?")
    assert (await port.ask("/v1/subscriptions/night", "DELETE"))[0] == 204
    assert (await port.ask("/v1/subscriptions/night", "DELETE"))[0] == 404
    await port.ask("/v1/subscriptions/day", "PUT", json=changed)
    assert (await port.ask("/v1/channels/ops", "DELETE"))[0] == 204
    assert [(await port.ask(f"/v1/{what}"))[1]["data"] for what in ("channels", "subscriptions")] == [[], []]  # fmt: skip
    assert (await port.ask("/v1/channels/ops", "DELETE"))[0] == 404
    said = (await port.ask("/v1/audit"))[1]["data"]
    told = [
        "channel_removed",
        "subscribed",
        "unsubscribed",
        "subscribed",
        "subscribed",
        "channel_set",
    ]
    assert [event["type"] for event in said] == told
    assert {event["actor"] for event in said} == {"http:loopback"}


async def test_channels_and_subscriptions_of_the_configuration_stay_there(
    port: Client, desk: Desk
) -> None:
    channel = {"name": "ops", "kind": "slack", "digest_seconds": 300, "digest_max": 10}
    night = {
        "name": "night",
        "channel": "ops",
        "on": ["failed"],
        "kinds": "*",
        "late_seconds": None,
    }
    await desk.conn.fetch(query("publish_channels"), json.dumps([channel]), json.dumps([night]))
    for path, body in (
        ("channels/ops", {"kind": "email", "address": "ops@example.com"}),
        ("subscriptions/night", {"channel": "ops", "on": ["completed"]}),
    ):
        for method, given in (("PUT", {"json": body}), ("DELETE", {})):
            code, said, _ = await port.ask(f"/v1/{path}", method, **given)
            assert (code, said["code"]) == (409, "in_configuration"), (method, path)
            assert "[notify." in said["hint"]
    assert (await port.ask("/v1/subscriptions"))[1]["data"][0]["on"] == ["failed"]
