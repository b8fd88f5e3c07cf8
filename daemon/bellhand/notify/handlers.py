"""The kinds that deliver: each sends one message to one channel or address, and tells the channel how it went.

The message is the same at every attempt and carries the job's key, so a receiver recognises what comes twice: a daemon that
dies between sending and writing it down sends again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bellhand.clients.errors import WebError
from bellhand.clients.mail import MailError, Message
from bellhand.clients.secret import without
from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Failed, Retry, Snooze
from bellhand.sql import query

from . import texts
from .signing import signed

STATEMENT_SECONDS = 10.0
ELSEWHERE_SECONDS = 60.0  # until the daemon that knows the channel may have taken the job
ANSWER_CHARS_SHOWN = 200
# Answers after which the address will never be one again; of a webhook's only 410 is that certain.
WEBHOOK_GONE = (410,)
CHAT_GONE = (401, 403, 404, 410)
# A message that will not be taken at any later time either.
REFUSED_BY_US = ("bad_url", "bad_scheme", "bad_port", "blocked_address", "bad_header")


class Delivery(BaseModel):
    """To whom: a channel, or for mail an address; and an event of job_event.sql, or what waits for a digest."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(min_length=1, max_length=254, examples=["ops"])
    event: dict[str, Any] | None = Field(
        default=None,
        examples=[
            {
                "type": "job.failed",
                "timestamp": "2026-01-31T12:00:00Z",
                "data": {"id": 17, "kind": "shop.count", "state": "failed", "error": "sold out"},
            }
        ],
    )
    digest: bool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> Delivery:
        if (self.event is None) != self.digest:
            raise ValueError("give event, or digest = true")
        return self


@dataclass(frozen=True, slots=True)
class Way:
    """Where a delivery goes; `channel` is None for a plain address. Its text gives no secret away."""

    channel: str | None
    where: str
    secrets: tuple[str, ...]
    now_seconds: int

    def __repr__(self) -> str:
        return f"Way({self.channel})"


Send = Callable[[texts.Text, Way], Awaitable[Any]]


@job_kind(
    "notify.webhook",
    lane="notify",
    attempts_max=22,
    timeout_seconds=120,
    backoff_base_seconds=10,
    backoff_max_seconds=14_400,
    side_effects="keyed",
)
async def deliver_webhook(args: Delivery, job: Job) -> dict[str, Any]:
    """Post one signed event (Standard Webhooks); tried for about a day."""
    if args.event is None:
        raise Failed("a webhook hears of every event, there is no digest for it")
    way = await _way(args.to, job, "webhook")
    if not way.secrets:
        raise Failed(
            f"channel {args.to} has no secret to sign with; select bellhand.rotate_secret('{args.to}')"
        )
    try:
        body = json.dumps(
            args.event, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
        headers = signed(str(job.idempotency_key), way.now_seconds, body, way.secrets)
    except ValueError as error:
        raise Failed(str(error)) from error
    return await _post(job, way, body, headers, WEBHOOK_GONE)


@job_kind(
    "notify.slack",
    lane="notify",
    attempts_max=12,
    timeout_seconds=120,
    backoff_base_seconds=10,
    side_effects="external",
)
async def deliver_slack(args: Delivery, job: Job) -> dict[str, Any]:
    """Post a message to an incoming webhook of Slack, or of a chat that speaks its language."""
    return await _deliver(args, job, "slack", _chat(job, texts.slack))


@job_kind(
    "notify.discord",
    lane="notify",
    attempts_max=12,
    timeout_seconds=120,
    backoff_base_seconds=10,
    side_effects="external",
)
async def deliver_discord(args: Delivery, job: Job) -> dict[str, Any]:
    """Post a message to a webhook of Discord."""
    return await _deliver(args, job, "discord", _chat(job, texts.discord))


@job_kind(
    "notify.email",
    lane="notify",
    attempts_max=12,
    timeout_seconds=180,
    backoff_base_seconds=30,
    side_effects="external",
)
async def deliver_email(args: Delivery, job: Job) -> dict[str, Any]:
    """Mail a message to the address of a channel, or to one that the job named."""

    async def send(text: texts.Text, way: Way) -> dict[str, Any]:
        subject, plain, html = texts.mail_parts(text)
        message = Message(
            (way.where,), subject, plain, job.idempotency_key, html,
            at=datetime.fromtimestamp(way.now_seconds, UTC), headers={"Auto-Submitted": "auto-generated"},
        )  # fmt: skip
        try:
            sent = await job.mail.send(message)
        except MailError as error:
            if not error.ours:
                await _fared(job, way, str(error), gone=False)
            raise error.outcome() from error
        await _fared(job, way, None, gone=False)
        return {"message_id": sent.message_id, "answer": texts.line(sent.answer)}

    return await _deliver(args, job, "email", send)


def _chat(job: Job, body_of: Callable[[texts.Text], dict[str, Any]]) -> Send:
    async def send(text: texts.Text, way: Way) -> dict[str, Any]:
        return await _post(job, way, json.dumps(body_of(text)).encode(), {}, CHAT_GONE)

    return send


async def _deliver(args: Delivery, job: Job, kind: str, send: Send) -> dict[str, Any]:
    """Send an event at once, or what waits for a digest as one message."""
    way = await _way(args.to, job, kind)
    if args.event is not None:
        found: dict[str, Any] = await send(texts.of_event(args.event, job.hooks.settings.link), way)
        return found
    async with job.connection() as conn:
        await conn.execute(query("notify_take"), args.to, job.id, timeout=STATEMENT_SECONDS)
        rows = await conn.fetch(query("notify_digest"), job.id, timeout=STATEMENT_SECONDS)
    if not rows:
        return {"notices": 0}
    result = {"notices": sum(row["jobs"] for row in rows)}
    result |= await send(texts.of_digest(rows), way)

    async def over() -> None:
        async with job.transaction(result) as conn:
            await conn.execute(query("notify_digested"), args.to, job.id, timeout=STATEMENT_SECONDS)

    await job.patiently(over)
    return result


async def _way(to: str, job: Job, kind: str) -> Way:
    """Where it goes now; ends the attempt where it cannot go anywhere."""
    async with job.connection() as conn:
        row = await conn.fetchrow(query("notify_channel"), to, timeout=STATEMENT_SECONDS)
    if row is None or row["kind"] is None:
        if row is None or kind != "email" or "@" not in to:
            raise Failed(f"there is no channel {to} any more")
        allowed = job.hooks.settings.mail_domains
        if allowed and to.rpartition("@")[2].lower() not in allowed:
            raise Failed(f"mail goes to {', '.join(allowed)} only (notify.mail_domains)")
        return Way(None, to, (), row["now"])
    if row["kind"] != kind:
        raise Failed(f"channel {to} is of kind {row['kind']} now")
    if row["disabled"]:
        raise Failed(
            f"channel {to} is disabled: {row['disabled_reason']}; once that is put right: "
            f"select bellhand.enable_channel('{to}'), bellhand.replay('{to}')"
        )
    if row["wait_seconds"] > 0:
        raise Snooze(row["wait_seconds"], f"channel {to} failed several times in a row")
    if row["source"] == "sql":
        return Way(to, row["address"], tuple(row["secrets"]), row["now"])
    try:
        place = job.hooks.place(to)
    except OSError as error:
        raise Snooze(
            ELSEWHERE_SECONDS, f"channel {to}: {error.strerror}: {error.filename}"
        ) from error
    if place is None or not place.where:
        why = f"channel {to} waits for a daemon whose configuration says where it leads"
        raise Snooze(ELSEWHERE_SECONDS, why)
    return Way(to, place.where, place.secrets, row["now"])


async def _post(
    job: Job, way: Way, body: bytes, headers: Mapping[str, str], gone: tuple[int, ...]
) -> dict[str, Any]:
    """Post once; anything but 2xx ends the attempt, with the address in no text."""
    try:
        answer = await job.hooks.post(way.where, body, headers)
    except WebError as error:
        why = without(way.where, str(error)).replace("the site", "the receiver")
        await _fared(job, way, why, gone=False)
        raise (Failed(why) if error.code in REFUSED_BY_US else Retry(why)) from None
    if answer.taken:
        await _fared(job, way, None, gone=False)
        return {"status": answer.status}
    why = f"the receiver answered {answer.status}"
    if 300 <= answer.status < 400:
        why += "; redirects are not followed, name the final address"
    elif said := texts.line(without(way.where, answer.text), ANSWER_CHARS_SHOWN):
        why += f": {said}"
    for_good = answer.status in gone
    await _fared(job, way, why, gone=for_good)
    if for_good:
        raise Failed(why)
    raise Retry(why, after_seconds=answer.wait_seconds or None)


async def _fared(job: Job, way: Way, error: str | None, *, gone: bool) -> None:
    """Note on the channel how it went; one that fails for too long is disabled."""
    if way.channel is None:
        return
    channel, failing_seconds = way.channel, job.hooks.settings.failing_hours_max * 3600

    async def write() -> bool:
        async with job.connection() as conn:
            return bool(
                await conn.fetchval(
                    query("notify_fared"), channel, error, gone, failing_seconds,
                    timeout=STATEMENT_SECONDS,
                )
            )  # fmt: skip

    # A message that went out would go out again if the database's absence failed the attempt.
    if await job.patiently(write):
        job.log.error("channel_disabled", channel=way.channel, error=error)
