"""The way to post messages, without a daemon: whom it talks to, and what people read in a chat."""

import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bellhand.clients.errors import Forbidden, Unreachable
from bellhand.clients.hooks import Hooks
from bellhand.notify import texts
from bellhand.settings_notify import Notify
from notifying import LOCAL, Receiver
from websites import Names, StraightHome, serving


@asynccontextmanager
async def hooks(*ports: int, **more: Any) -> AsyncIterator[Hooks]:
    given = {name: more.pop(name) for name in ("resolver", "tls") if name in more}
    client = Hooks(Notify(ports=ports or (443,), **more), **given)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=hook.test"
        " -addext subjectAltName=DNS:hook.test -keyout key.pem -out cert.pem"
    )
    try:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("the openssl program is missing; it makes the test's certificate")
    return folder


async def test_certificates_are_checked(certificate: Path) -> None:
    receiver = Receiver()
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trust = ssl.create_default_context(cafile=certificate / "cert.pem")
    names = Names(hook_test=["127.0.0.1"], other_test=["127.0.0.1"])
    async with serving(("/x", receiver.take), ssl_context=ours) as port:
        async with hooks(port, allow_networks=LOCAL, resolver=names, tls=trust) as client:
            assert (await client.post(f"https://hook.test:{port}/x", b"{}", {})).taken
            with pytest.raises(Unreachable, match="certificate is not valid"):
                await client.post(f"https://other.test:{port}/x", b"{}", {})
        async with hooks(port, allow_networks=LOCAL, resolver=names) as strangers:
            with pytest.raises(Unreachable, match="certificate is not valid"):
                await strangers.post(f"https://hook.test:{port}/x", b"{}", {})
    assert len(receiver.got) == 1


async def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to() -> None:
    receiver = Receiver()
    async with (
        serving(("/x", receiver.take)) as port,
        hooks(port, resolver=StraightHome()) as client,
    ):
        for scheme in ("http", "https"):
            with pytest.raises(Forbidden) as caught:
                await client.post(f"{scheme}://evil.example:{port}/x", b"{}", {})
            assert caught.value.code == "blocked_address"
            assert "notify.allow_networks" in str(caught.value)
    assert receiver.got == []


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("ftp://hook.example/x", "bad_scheme"), ("https://user:pw@hook.example/", "bad_url"), ("https://hook.example:8443/", "bad_port"),
        ("https:///x", "bad_url"), ("", "bad_scheme"), ("https://hook\x00.example/", "bad_url"),
    ],
)  # fmt: skip
async def test_what_is_no_address_is_refused_before_a_lookup(address: str, code: str) -> None:
    names = Names()
    async with hooks(resolver=names) as client:
        with pytest.raises(Forbidden) as caught:
            await client.post(address, b"{}", {})
    assert caught.value.code == code
    assert names.asked == []


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    receiver = Receiver()

    async def away(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/x"})

    async with (
        serving(("/away", away), ("/x", receiver.take)) as port,
        hooks(port, allow_networks=LOCAL) as client,
    ):
        answer = await client.post(f"http://127.0.0.1:{port}/away", b"{}", {})
    assert (answer.status, answer.taken) == (307, False)
    assert receiver.got == []


async def test_files_with_addresses_and_keys_are_read_anew(tmp_path: Path) -> None:
    url, secret = tmp_path / "url", tmp_path / "secret"
    channel = {"kind": "webhook", "url_file": str(url), "secret_file": str(secret)}
    client = Hooks(Notify(channels={"shop": channel}))
    assert client.place("shop").where == ""
    assert client.place("nowhere") is None
    url.write_text("https://one.example/\n")
    secret.write_text("whsec_a\nwhsec_b\n")
    assert client.place("shop").secrets == ("whsec_a", "whsec_b")
    url.write_text("https://another.example/\n")
    place = client.place("shop")
    assert place.where == "https://another.example/"
    assert "another" not in repr(place)


def test_no_text_calls_anybody_or_grows_in_a_chat(test_data: Path) -> None:
    naughty = json.loads((test_data / "strings" / "blns.json").read_text())
    naughty += [
        "<!channel>",
        "<!here|x>",
        "@everyone",
        "<@U024BE7LH>",
        "<https://evil.example|bellhand>",
        "`" * 10,
        "x" * 9000,
        "\u202egnp.exe",
    ]
    for text in naughty:
        event = {
            "type": "job.failed",
            "timestamp": text,
            "data": {
                "id": 1,
                "key": "k",
                "kind": text,
                "error": text,
                "owner": text,
                "failed_attempts": 1,
            },
        }
        told = texts.of_event(event, "https://jobs.example.com/{id}")
        slack = texts.slack(told)["text"]
        body = slack.removesuffix("\n<https://jobs.example.com/1|Show the job>")
        assert body != slack
        assert not set("<>") & set(body)
        assert "@everyone" not in slack
        assert len(slack) <= 3000
        discord = texts.discord(told)
        assert len(discord["content"]) <= 2000
        assert discord["allowed_mentions"] == {"parse": []}
        assert "@everyone" not in discord["content"]
        subject, plain, html = texts.mail_parts(told)
        assert "\n" not in subject
        assert html.count("<p>") <= 3
        assert "\u202e" not in slack + discord["content"] + subject + plain
