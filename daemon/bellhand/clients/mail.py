"""Mail by one SMTP server: one connection that is used again, every refusal told apart, no header that could become two."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.message import Message as AnyMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr

import aiosmtplib

from ..outcomes import Failed, Retry, Snooze, clean
from ..settings_notify import Mail as MailSettings
from .secret import Key, without

SUBJECT_CHARS_MAX = 200
RECIPIENTS_MAX = 100
NOT_READY_SECONDS = 300.0
CLOSE_SECONDS = 5.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,76}")
# What says who, to whom and what is written from the other fields of a message.
_OURS = ("from", "to", "cc", "bcc", "subject", "message-id", "date", "sender", "mime-version")


class _Whole(UnstructuredHeader, BaseHeader):
    """An address in a header is no text: Python would write one longer than a line as =?utf-8?q?...?=, which nobody can follow."""

    def fold(self, *, policy: Policy[AnyMessage[str, str]]) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_headers = HeaderRegistry()
_headers.map_to_type("list-unsubscribe", _Whole)
WIRE_FORMAT = SMTP.clone(header_factory=_headers)


@dataclass(frozen=True, slots=True)
class Message:
    """One mail. `key` becomes its Message-ID, so that a mail sent twice can be recognised: give job.idempotency_key, or
    job.step_key(...) for one of several; `at` its Date (without one the server writes it)."""

    to: tuple[str, ...]
    subject: str
    text: str
    key: object
    html: str | None = None
    at: datetime | None = None
    sender: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the server took; `refused` are recipients it did not, with what it said."""

    message_id: str
    answer: str
    refused: Mapping[str, str]


class MailError(Exception):
    """A mail that was not taken.

    Codes: not_configured, auth, unreachable, timeout, tls, sender_refused, recipients_refused, refused, too_large,
    bad_message. `retryable`: the same mail may well be taken later (4xx, or no answer); `ours`: so it may, but none will be
    until somebody changes the settings. `unsure`: the answer to the mail itself was lost, so it may have been taken.
    """

    def __init__(
        self, code: str, why: str, *, retryable: bool = False, ours: bool = False, unsure: bool = False,
        refused: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(f"mail: {code.replace('_', ' ')}: {why}")
        self.code = code
        self.retryable = retryable or ours
        self.ours = ours
        self.unsure = unsure
        self.refused = dict(refused or {})

    def outcome(self) -> Exception:
        """How an attempt ends that hangs on this mail alone: raise it."""
        if self.ours:
            return Snooze(NOT_READY_SECONDS, str(self))
        return Retry(str(self)) if self.retryable else Failed(str(self))


class Mail:
    """The daemon's one way to send mail."""

    def __init__(self, settings: MailSettings, *, tls: ssl.SSLContext | None = None) -> None:
        self.settings = settings
        self._tls = tls
        self._key = Key(settings.password, settings.password_file)
        self._lock = asyncio.Lock()
        self._smtp: aiosmtplib.SMTP | None = None
        self._sent = 0  # on this connection
        self._used_at = 0.0

    def reload(self, settings: MailSettings) -> None:
        """Take in other settings; the next mail opens a new connection."""
        self.settings = settings
        self._key = Key(settings.password, settings.password_file)
        self._sent = settings.connection_messages_max

    async def close(self) -> None:
        """Say goodbye; a later mail opens a new connection."""
        async with self._lock:
            await self._hang_up()

    async def send(self, message: Message) -> Sent:
        """Hand one mail to the server; raises MailError when it takes it for no recipient."""
        own = self.settings
        if not own.host:
            raise MailError("not_configured", "set host and sender under [mail]", ours=True)
        sender = _address(parseaddr(message.sender or own.sender)[1])
        recipients = [_address(one) for one in message.to]
        built = compose(message, default_sender=own.sender, recipients=recipients)
        body = wire_bytes(built)
        if len(body) > own.message_bytes_max:
            why = f"{len(body)} bytes, more than mail.message_bytes_max, {own.message_bytes_max}"
            raise MailError("too_large", why)
        options = [] if all(one.isascii() for one in (sender, *recipients)) else ["SMTPUTF8"]
        async with self._lock:
            smtp = await self._ready()
            try:
                async with asyncio.timeout(own.seconds_max):
                    refused, answer = await smtp.sendmail(
                        sender, recipients, body, mail_options=options
                    )
            except BaseException as error:
                # What the server answered leaves the connection usable, anything else does not.
                if not isinstance(
                    error, aiosmtplib.SMTPResponseException | aiosmtplib.SMTPRecipientsRefused
                ):
                    self._drop()
                if isinstance(error, aiosmtplib.SMTPException | OSError):
                    raise self._explain(error, sending=True) from None
                raise
            self._sent += 1
            self._used_at = asyncio.get_running_loop().time()
        told = {one: f"{said.code} {_line(said.message)}" for one, said in refused.items()}
        return Sent(str(built["Message-ID"]), _line(answer), told)

    async def _ready(self) -> aiosmtplib.SMTP:
        """The connection, if it still is one; else another."""
        own, smtp = self.settings, self._smtp
        idle_seconds = asyncio.get_running_loop().time() - self._used_at
        if smtp is not None:
            worn = self._sent >= own.connection_messages_max
            # Asked before anything is sent: a mail whose connection breaks later may have been taken.
            if worn or idle_seconds > own.connection_idle_seconds or not await self._alive(smtp):
                await self._hang_up()
        if self._smtp is None:
            try:
                async with asyncio.timeout(own.seconds_max):
                    self._smtp = await self._connect()
            except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
                raise self._explain(error, sending=False) from None
            self._sent = 0
        return self._smtp

    async def _alive(self, smtp: aiosmtplib.SMTP) -> bool:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await smtp.noop()
        except (aiosmtplib.SMTPException, OSError):
            return False
        return True

    async def _connect(self) -> aiosmtplib.SMTP:
        own = self.settings
        context = self._tls or ssl.create_default_context(cafile=own.ca_file)
        domain = parseaddr(own.sender)[1].rpartition("@")[2]
        smtp = aiosmtplib.SMTP(
            hostname=own.host, port=own.port, timeout=own.seconds_max, local_hostname=domain,
            use_tls=own.tls == "implicit", start_tls=own.tls == "starttls",
            tls_context=None if own.tls == "none" else context,
        )  # fmt: skip
        try:
            await smtp.connect()
            if own.user:
                await smtp.login(own.user, self._password())
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _password(self) -> str:
        try:
            password = self._key.text()
        except OSError as error:
            raise MailError("auth", f"password_file: {error.strerror}", ours=True) from error
        if password is None:
            raise MailError("auth", "user is set and no password is", ours=True)
        return password

    async def _hang_up(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await smtp.quit()
            except (aiosmtplib.SMTPException, OSError):
                pass  # it is gone already
            smtp.close()

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()

    def _explain(self, error: Exception, *, sending: bool) -> MailError:
        """What a failure means; the password stands in no text."""
        said = error.message if isinstance(error, aiosmtplib.SMTPResponseException) else str(error)
        why = _line(said) or type(error).__name__
        if password := self._key.text():
            why = without(password, why)
        where = f"{self.settings.host}:{self.settings.port}"
        if any(isinstance(one, ssl.SSLCertVerificationError) for one in (error, error.__cause__)):
            return MailError("tls", f"the certificate of {where} is not valid: {why}", ours=True)
        match error:
            case aiosmtplib.SMTPAuthenticationError():
                return MailError("auth", f"{where} refuses us: {why}", ours=True)
            case aiosmtplib.SMTPRecipientsRefused():
                refused = {
                    one.recipient: f"{one.code} {_line(one.message)}" for one in error.recipients
                }
                passing = any(400 <= one.code < 500 for one in error.recipients)
                why = "; ".join(f"{one}: {said}" for one, said in refused.items())[:1000]
                return MailError("recipients_refused", why, retryable=passing, refused=refused)
            case aiosmtplib.SMTPSenderRefused():
                return MailError(
                    "sender_refused", f"{error.code} {why}", retryable=error.code < 500
                )
            case aiosmtplib.SMTPResponseException():
                passing = not sending or error.code < 500
                return MailError("refused", f"{error.code} {why}", retryable=passing)
            case TimeoutError():  # aiosmtplib's own are TimeoutErrors too
                return MailError(
                    "timeout", f"{where} took too long", retryable=True, unsure=sending
                )
            case aiosmtplib.SMTPNotSupported():
                return MailError("refused", why)
            case aiosmtplib.SMTPException() if "STARTTLS" in why:
                return MailError("tls", f"{where} has no encryption: {why}", ours=True)
            case _:
                return MailError("unreachable", f"{where}: {why}", retryable=True, unsure=sending)


def compose(message: Message, *, default_sender: str, recipients: list[str]) -> EmailMessage:
    """The mail as it goes out; raises MailError for a header that cannot be one.

    Subjects may come from anywhere: line breaks and control characters in them become blanks.
    """
    sender = message.sender or default_sender
    built = EmailMessage(policy=WIRE_FORMAT)
    try:
        built["From"] = sender
        built["To"] = ", ".join(recipients)
        built["Subject"] = _words(message.subject)[:SUBJECT_CHARS_MAX] or "(no subject)"
        built["Message-ID"] = (
            f"<{_line(str(message.key))}@{_address(parseaddr(sender)[1]).rpartition('@')[2]}>"
        )
        if message.at is not None:
            built["Date"] = format_datetime(message.at)
        if message.reply_to is not None:
            built["Reply-To"] = _address(message.reply_to)
        for name, value in message.headers.items():
            if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS or _words(value) != value:
                raise MailError("bad_message", f"the header {name[:60]!r} cannot be sent")
            built[name] = value
        built.set_content(_body(message.text))
        if message.html is not None:
            built.add_alternative(_body(message.html), subtype="html")
    except (ValueError, IndexError, UnicodeError) as error:
        raise MailError("bad_message", str(error)[:500]) from error
    if not 1 <= len(recipients) <= RECIPIENTS_MAX:
        raise MailError(
            "bad_message", f"{len(recipients)} recipients; 1 to {RECIPIENTS_MAX} are possible"
        )
    return built


def wire_bytes(built: EmailMessage) -> bytes:
    """The mail as bytes, if it has the headers that were given and no others."""
    body = built.as_bytes()
    head = body.partition(b"\r\n\r\n")[0].split(b"\r\n")
    begun = [line.partition(b":")[0].lower() for line in head if line[:1] not in (b" ", b"\t")]
    if begun != [name.lower().encode() for name in built]:
        raise MailError("bad_message", "a header would become two")
    return body


def _address(text: str) -> str:
    """The address as the wire has it, with its domain in ASCII; raises MailError for what is none."""
    # Its patterns take 20 ms, which a daemon that sends no mail need not pay.
    from email_validator import EmailNotValidError, validate_email

    try:
        valid = validate_email(
            text, check_deliverability=False, allow_quoted_local=True, test_environment=True
        )
    except EmailNotValidError as error:
        raise MailError("bad_message", f"{text[:100]!r} is no address: {error}") from error
    return valid.ascii_email or f"{valid.local_part}@{valid.ascii_domain}"


def _words(text: str) -> str:
    """Text for a header. Python's email package decodes =?...?= in it and may write the line break it finds inside as one."""
    return _line(text).replace("=?", "= ?")


def _line(text: str) -> str:
    return _CONTROL.sub(" ", clean(text)).strip()


def _body(text: str) -> str:
    """Text that any server takes: no NUL, no bare carriage return."""
    return clean(text).replace("\r\n", "\n").replace("\r", "\n")
