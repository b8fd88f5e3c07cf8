"""A real mail server in a process of its own: what it takes is written to a file, what it refuses is said by the address."""

import argparse
import asyncio
import base64
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

REFUSED = {"unknown": "550 5.1.1 no such user", "later": "450 4.2.0 try again later"}
USER, PASSWORD = "bellhand", "c4n4ry-mail-password"


@dataclass
class MailServer:
    """Where it is, and what it took."""

    port: int
    mailbox: Path

    def settings(self, **more: Any) -> dict[str, Any]:
        """[mail] for it."""
        own = {
            "host": "127.0.0.1",
            "port": self.port,
            "tls": "none",
            "sender": "Jobs <jobs@bellhand.test>",
        }
        return own | more

    def lines(self) -> list[dict[str, Any]]:
        """Everything that happened: connections and mails."""
        text = self.mailbox.read_text() if self.mailbox.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def mails(self) -> list[tuple[dict[str, Any], EmailMessage]]:
        """Each mail it took: envelope and message."""
        return [
            (line, message_from_bytes(base64.b64decode(line["body"]), policy=default))
            for line in self.lines()
            if "body" in line
        ]

    def connections(self) -> int:
        return sum("hello" in line for line in self.lines())


@contextmanager
def mail_server(
    folder: Path,
    *,
    tls: str = "none",
    certificate: Path | None = None,
    auth: bool = False,
    port: int = 0,
) -> Iterator[MailServer]:
    """Start it, wait until it listens, end it."""
    mailbox = folder / "mailbox"
    command = [sys.executable, __file__, str(mailbox), "--tls", tls, "--port", str(port)]
    command += ["--certificate", str(certificate)] if certificate else []
    command += ["--auth"] if auth else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield MailServer(int(child.stdout.readline()), mailbox)
        finally:
            child.kill()


class Handler:
    def __init__(self, mailbox: Path) -> None:
        self.mailbox = mailbox

    def write(self, **what: Any) -> None:
        with self.mailbox.open("a") as file:
            file.write(json.dumps(what) + "\n")

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        self.write(hello=hostname)
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        if refusal := REFUSED.get(address.partition("@")[0]):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        body = envelope.original_content
        said = {b"[reject]": "554 5.7.1 not this", b"[greylist]": "451 4.7.1 later", b"[hang]": ""}
        for word, answer in said.items():
            if word in body:
                if not answer:
                    await asyncio.sleep(60)
                return answer
        first = not self.mailbox.exists() or "body" not in self.mailbox.read_text()
        self.write(
            sender=envelope.mail_from, to=envelope.rcpt_tos, body=base64.b64encode(body).decode(), tls=server.transport.get_extra_info("sslcontext") is not None,
        )  # fmt: skip
        if first and b"[linger]" in body:
            await asyncio.sleep(60)  # taken, and nobody hears of it
        return "250 2.0.0 queued as 1"


async def serve(options: argparse.Namespace) -> None:
    from aiosmtpd.smtp import SMTP, AuthResult

    def authenticate(_server, _session, _envelope, _mechanism, given) -> AuthResult:
        right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    context = None
    if options.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        folder = options.certificate
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    handler = Handler(options.mailbox)
    more: dict[str, Any] = {"enable_SMTPUTF8": True, "data_size_limit": 50_000_000}
    if options.auth:
        more |= {
            "authenticator": authenticate,
            "auth_required": True,
            "auth_require_tls": options.tls == "starttls",
        }
    if options.tls == "starttls":
        more |= {"tls_context": context, "require_starttls": True}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, hostname="mail.test", **more),
        "127.0.0.1",
        options.port,
        ssl=context if options.tls == "implicit" else None,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("mailbox", type=Path)
    parser.add_argument("--tls", default="none")
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--auth", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args()))
