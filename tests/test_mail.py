"""The way to send mail, against a mail server that is a process of its own."""

import json
import subprocess
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bellhand import Job, job_kind
from bellhand.clients.mail import Mail, MailError, Message
from bellhand.outcomes import Failed, Retry, Snooze
from bellhand.settings_notify import Mail as MailSettings
from bellhand.testing import Bellhand
from mailserver import PASSWORD, USER, MailServer, mail_server
from websites import raw_server

pytest_plugins = ["testing_fixtures"]

KEY = uuid.UUID("018f2f63-1111-7000-8000-000000000001")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost"
        " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    try:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("the openssl program is missing; it makes the test's certificate")
    return folder


@pytest.fixture(scope="module")
def smtp(tmp_path_factory: pytest.TempPathFactory):
    with mail_server(tmp_path_factory.mktemp("mail")) as running:
        yield running


@asynccontextmanager
async def mail(smtp: MailServer, **settings: Any) -> AsyncIterator[Mail]:
    client = Mail(MailSettings(**smtp.settings(**settings)))
    try:
        yield client
    finally:
        await client.close()


def message(*to: str, **more: Any) -> Message:
    return Message(
        to or ("ann@example.com",),
        more.pop("subject", "Done"),
        more.pop("text", "All done.\n"),
        more.pop("key", KEY),
        **more,
    )


def last(smtp: MailServer) -> tuple[dict[str, Any], Any]:
    return smtp.mails()[-1]


async def test_a_mail_arrives_in_two_parts_and_is_recognised_when_it_comes_twice(
    smtp: MailServer,
) -> None:
    async with mail(smtp) as client:
        sent = await client.send(
            message(
                html="<p>All <b>done</b>, Zoë.</p>",
                text="All done, Zoë.\n.\nreally",
                reply_to="help@example.com",
            )
        )
        again = await client.send(message())
    assert sent.message_id == again.message_id == f"<{KEY}@bellhand.test>"
    envelope, first = smtp.mails()[-2]
    assert (envelope["sender"], envelope["to"]) == ("jobs@bellhand.test", ["ann@example.com"])
    assert first["From"] == "Jobs <jobs@bellhand.test>"
    assert (first["Message-ID"], first["Reply-To"]) == (sent.message_id, "help@example.com")
    plain, html = first.iter_parts()
    assert plain.get_content().splitlines() == ["All done, Zoë.", ".", "really"]
    assert html.get_content_type() == "text/html"
    assert "<b>done</b>, Zoë" in html.get_content()
    assert not sent.refused
    assert "250" in sent.answer or "queued" in sent.answer


async def test_one_connection_carries_many_mails_but_not_for_ever(smtp: MailServer) -> None:
    before = smtp.connections()
    async with mail(smtp, connection_messages_max=3) as client:
        for n in range(7):
            await client.send(message(subject=f"Mail {n}"))
    assert smtp.connections() - before == 3
    assert [m["Subject"] for _, m in smtp.mails()[-7:]] == [f"Mail {n}" for n in range(7)]


async def test_a_connection_that_died_meanwhile_is_noticed_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    with mail_server(tmp_path) as first:
        client = Mail(MailSettings(**first.settings()))
        await client.send(message(subject="one"))
    with mail_server(tmp_path, port=first.port):
        await client.send(message(subject="two"))
        await client.close()
    assert [m["Subject"] for _, m in first.mails()] == ["one", "two"]
    with pytest.raises(MailError, match="unreachable") as caught:
        await client.send(message())
    assert caught.value.retryable
    assert isinstance(caught.value.outcome(), Retry)


@pytest.mark.parametrize(
    ("to", "subject", "code", "retryable"),
    [
        ("unknown@example.com", "x", "recipients_refused", False),
        ("later@example.com", "x", "recipients_refused", True),
        ("ann@example.com", "[reject]", "refused", False),
        ("ann@example.com", "[greylist]", "refused", True),
    ],
)
async def test_what_will_never_be_taken_and_what_may_be_later_are_told_apart(
    smtp: MailServer, to: str, subject: str, code: str, retryable: bool
) -> None:
    async with mail(smtp) as client:
        with pytest.raises(MailError) as caught:
            await client.send(message(to, subject=subject))
        assert (caught.value.code, caught.value.retryable) == (code, retryable)
        assert isinstance(caught.value.outcome(), Retry if retryable else Failed)
        assert not caught.value.unsure
        await client.send(message(subject="afterwards"))
    assert last(smtp)[1]["Subject"] == "afterwards"


async def test_recipients_are_refused_one_by_one(smtp: MailServer) -> None:
    async with mail(smtp) as client:
        sent = await client.send(
            message("unknown@example.com", "ann@example.com", "later@example.com")
        )
    assert sent.refused == {
        "unknown@example.com": "550 5.1.1 no such user",
        "later@example.com": "450 4.2.0 try again later",
    }
    assert last(smtp)[0]["to"] == ["ann@example.com"]


def strings(test_data: Path) -> list[str]:
    naughty = json.loads((test_data / "strings" / "blns.json").read_text())
    odd = [
        "Subject\r\nBcc: eve@example.com",
        "a\nb",
        "a\rb",
        "a\x00b",
        "a\u2028Bcc: x",
        "=?utf-8?q?=0ABcc:_eve?=",
        "x" * 5000,
    ]
    return [*naughty, *odd]


async def test_no_text_becomes_a_header_or_a_recipient(smtp: MailServer, test_data: Path) -> None:
    """With the naughty strings as subject, as text, and as an address."""
    taken = strings(test_data)
    before = len(smtp.mails())
    async with mail(smtp, connection_messages_max=10_000) as client:
        for n, text in enumerate(taken):
            await client.send(message(subject=text, text=text, html=text, key=n))
        for text in taken:
            with pytest.raises(MailError, match="bad message"):
                await client.send(message(f"ann@example.com\r\n{text}"))
    mails = smtp.mails()[before:]
    assert len(mails) == len(taken)
    names = {"from", "to", "subject", "message-id", "content-type", "mime-version"}
    for envelope, one in mails:
        assert envelope["to"] == ["ann@example.com"]
        assert {name.lower() for name in one} == names
        assert len(one.get_all("subject")) == 1
        assert "\n" not in one["subject"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\r\nBcc: eve@example.com"},
        {"X-A\r\nBcc": "eve@example.com"},
        {"Bcc": "eve@example.com"},
        {"To": "eve@example.com"},
        {"X A": "b"},
    ],
)
async def test_headers_that_could_be_others_are_refused(
    smtp: MailServer, headers: dict[str, str]
) -> None:
    async with mail(smtp) as client:
        with pytest.raises(MailError, match="bad message"):
            await client.send(message(headers=headers))
        await client.send(message(headers={"List-Unsubscribe": "<https://example.com/u>"}))
    assert last(smtp)[1]["List-Unsubscribe"] == "<https://example.com/u>"


async def test_domains_and_names_of_any_alphabet_are_sent_to(smtp: MailServer) -> None:
    async with mail(smtp) as client:
        await client.send(message("ann@bücher.example"))
        assert last(smtp)[0]["to"] == ["ann@xn--bcher-kva.example"]
        await client.send(message("zoë@bücher.example"))
        assert last(smtp)[0]["to"] == ["zoë@xn--bcher-kva.example"]


async def test_a_password_goes_over_tls_only_and_stands_in_no_text(
    tmp_path: Path, certificate: Path
) -> None:
    trusted = {"host": "localhost", "ca_file": certificate / "cert.pem"}
    given = {"user": USER, "password": PASSWORD}
    for tls in ("starttls", "implicit"):
        folder = tmp_path / tls
        folder.mkdir()
        with mail_server(folder, tls=tls, certificate=certificate, auth=True) as server:
            async with mail(server, tls=tls, **trusted, **given) as client:
                await client.send(message())
            assert last(server)[0]["tls"]
            async with mail(
                server, tls=tls, **trusted, user=USER, password="wrong-canary"
            ) as client:
                with pytest.raises(MailError) as caught:
                    await client.send(message())
                assert caught.value.code == "auth"
                assert isinstance(caught.value.outcome(), Snooze)
                assert "canary" not in str(caught.value) + repr(client.__dict__)
            async with mail(server, tls=tls, host="localhost", **given) as client:
                with pytest.raises(MailError) as caught:
                    await client.send(message())
                assert (caught.value.code, caught.value.ours) == ("tls", True)


async def test_without_encryption_on_the_other_side_starttls_sends_nothing(
    smtp: MailServer,
) -> None:
    before = len(smtp.mails())
    async with mail(smtp, tls="starttls") as client:
        with pytest.raises(MailError) as caught:
            await client.send(message())
    assert (caught.value.code, caught.value.ours) == ("tls", True)
    assert len(smtp.mails()) == before


async def test_a_server_that_hangs_is_left_and_the_mail_may_have_been_taken(
    smtp: MailServer,
) -> None:
    async with mail(smtp, seconds_max=0.5) as client:
        with pytest.raises(MailError) as caught:
            await client.send(message(subject="[hang]"))
        assert (caught.value.code, caught.value.retryable, caught.value.unsure) == (
            "timeout",
            True,
            True,
        )
        await client.send(message(subject="next"))
    assert last(smtp)[1]["Subject"] == "next"


async def test_a_server_that_says_nonsense_is_left_too() -> None:
    async def talk(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 1000)
        await reader.read()

    async with raw_server(talk) as port:
        client = Mail(
            MailSettings(
                host="127.0.0.1", port=port, tls="none", sender="a@example.com", seconds_max=2
            )
        )
        with pytest.raises(MailError) as caught:
            await client.send(message())
        await client.close()
    assert caught.value.retryable


async def test_what_cannot_be_sent_is_said_before_a_connection(smtp: MailServer) -> None:
    before = smtp.connections()
    async with mail(smtp, message_bytes_max=1000) as client:
        with pytest.raises(MailError, match="too large"):
            await client.send(message(text="x" * 2000))
        with pytest.raises(MailError, match="101 recipients"):
            await client.send(message(*(f"a{n}@example.com" for n in range(101))))
    client = Mail(MailSettings())
    with pytest.raises(MailError, match=r"set host and sender under \[mail\]") as caught:
        await client.send(message())
    assert isinstance(caught.value.outcome(), Snooze)
    assert smtp.connections() == before


def test_handlers_under_test_send_mail_too(desk: Bellhand, smtp: MailServer) -> None:
    @job_kind("t.mails")
    async def mails(job: Job) -> str:
        return (await job.mail.send(message(key=job.idempotency_key))).message_id

    desk.use(mails)
    assert "set host and sender" in str(desk.run("t.mails").error)
    desk.use_mail(**smtp.settings())
    done = desk.run("t.mails")
    assert done.result == last(smtp)[1]["Message-ID"]
