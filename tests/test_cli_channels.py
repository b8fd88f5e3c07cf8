"""`bellhand channels`: what an operator sees of notifications, and what helps when they do not arrive."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json

from commands import Bellhand, bare, bellhand

KINDS = json.dumps([{"name": "notify.slack", "lane": "notify", "priority": 5, "attempts_max": 3}])


def test_channels_are_listed_tested_disabled_and_replayed(bellhand: Bellhand) -> None:
    assert "no channels" in bellhand.ok("channels").err
    bellhand.sql(f"select bellhand.publish_kinds('{KINDS}')")
    bellhand.sql("select bellhand.set_channel('ops', 'slack', 'https://chat.example/c4n4ry')")
    bellhand.sql("select bellhand.subscribe('s', 'ops', '{failed,late}', 't.*', 60)")
    listed = bellhand.ok("channels")
    assert "chat.example" in listed.out
    assert "failed, late of t.*" in listed.out
    assert "c4n4ry" not in listed.out + bellhand.ok("channels", "--json").out
    job = bellhand.ok("channels", "test", "ops", "--json").json["job"]
    assert bellhand.ok("show", str(job), "--json").json["kind"] == "notify.slack"
    assert bellhand.ok("status").out.count("channel ops") == 0
    assert (
        "channel ops disabled" in bellhand.ok("channels", "disable", "ops", "--reason", "noisy").out
    )
    assert "noisy" in bellhand.ok("channels").out
    assert "channel ops disabled" in bellhand.ok("status").out
    (channel,) = bellhand.ok("status", "--json").json["channels"]
    assert channel["state"].startswith("disabled")
    checked = bellhand.ok("check").out
    assert "ops is disabled" in checked
    assert "bellhand channels enable ops" in checked
    bellhand.sql(
        "select bellhand.take_out(id), bellhand.finish(array[id], 'failed', 'x') from bellhand.jobs"
    )
    assert "channel ops enabled" in bellhand.ok("channels", "enable", "ops").out
    assert "1 delivery sent again" in bellhand.ok("channels", "replay", "ops", "--since", "1h").out
    assert bellhand.ok("channels", "replay", "ops", "--json").json == {"channel": "ops", "jobs": 0}
    assert bellhand.ok("channels", "--json").json[0]["disabled_at"] is None


def test_a_webhook_is_made_changed_and_given_a_new_secret(bellhand: Bellhand) -> None:
    """By the name that is asked for (`webhook add`, `test`, `list`), which is that of no other command."""
    made = bellhand.ok("webhook", "add", "shop", "https://shop.example/hook")
    assert made.out.startswith("whsec_")
    assert "bellhand channels test shop" in made.err
    told = bellhand.ok("webhook", "add", "shop", "https://shop.example/hook2", "--on", "failed,late:10m", "--of", "t.*", "--json")  # fmt: skip
    assert told.json == {"channel": "shop", "secret": None}, "its secret stays"
    assert "failed, late of t.*" in bellhand.ok("webhook", "list").out
    newer = bellhand.ok("channels", "rotate-secret", "shop").out
    assert newer.startswith("whsec_")
    assert newer != made.out
    wrong = bellhand("webhook", "add", "x", "https://x.example", "--on", "late")
    assert (wrong.code, "write --on late:10m" in wrong.err) == (2, True)
    assert bellhand("webhook", "add", "x", "ftp://x.example").code == 2
    assert [row["name"] for row in bellhand.ok("channels", "--json").json] == ["shop"]
    assert bellhand.ok("channels", "rm", "shop").out == "channel shop removed\n"
    assert bellhand.ok("channels", "--json").json == []


def test_a_channel_that_is_not_there_is_not_found(bellhand: Bellhand) -> None:
    for action in ("test", "enable", "disable"):
        said = bellhand("channels", action, "nowhere")
        assert said.code == 3
        assert 'there is no channel "nowhere"' in said.err
