"""One outside service: whether a call may go out, the call, what its failures mean for everybody.

The fleet agrees in Postgres (service_enter.sql): rate, caps, breaker, and what the service itself asks for. Where a call
has to wait for longer than a few seconds the job is snoozed, which burns no attempt, and the reason is shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

import asyncpg
from pydantic import TypeAdapter

from ..db import Database, patiently
from ..outcomes import Snooze
from ..settings_services import Service as ServiceSettings
from ..sql import query
from .errors import ServiceError
from .guard import Network
from .secret import Key, fingerprint, without
from .usage import Call, Ledger, Pause, Used
from .wire import Answer, Request, Wire

T = TypeVar("T")

WAIT_SECONDS_MAX = 5.0  # inside a call; for longer the job is snoozed
SNOOZE_SECONDS_MAX = 3600.0
KEY_SECONDS = 300.0  # between two looks for a key, or with one that was refused
QUOTA_SECONDS = 3600.0
RETRY_FIRST_SECONDS = 0.5
RETRY_MAX_SECONDS = 4.0
PROBE_SECONDS = 10.0  # that a probe may take beyond its timeout until another takes its place
CROWDED_SECONDS = 15.0  # after the last try met 429 again
JITTER_SECONDS_MIN, JITTER = 5.0, 0.2
WHY_CHARS_MAX = 500


class Service:
    """Calls to one outside service; `sign` puts the key where it belongs, as headers and parameters."""

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        networks: tuple[Network, ...],
        *,
        database: Database,
        ledger: Ledger,
        random: Callable[[], float],
        sign: Callable[[str], tuple[Mapping[str, str], Mapping[str, str]]],
    ) -> None:
        self.name = name
        self.settings = settings
        self.key = Key(settings.key, settings.key_file)
        self._networks = networks
        self._wire = Wire(name, settings, networks)
        self._link = database.link(f"service:{name}")
        self._ledger = ledger
        self._random = random
        self._sign = sign
        self._gate = asyncio.Semaphore(settings.concurrency)

    async def reload(self, settings: ServiceSettings, networks: tuple[Network, ...]) -> None:
        """Call under other settings from now on; while older calls last, both have their `concurrency`."""
        if (settings, networks) == (self.settings, self._networks):
            return
        old = self._wire
        self.settings, self._networks = settings, networks
        self.key = Key(settings.key, settings.key_file)
        self._wire = Wire(self.name, settings, networks)
        self._gate = asyncio.Semaphore(settings.concurrency)
        await old.retire()

    async def close(self) -> None:
        """Close its connections."""
        await self._wire.close()

    async def ask(
        self,
        operation: str,
        request: Request,
        read: Callable[[Answer], T],
        used: Used | Callable[[Answer], Used],
    ) -> T:
        """Send the request, again at once where that may help, and return what `read` makes of the answer.

        `read` raises ServiceError for an answer that is none; `used` is what each good answer costs, or tells it of any
        answer with status 200. Raises ServiceError, or Snooze where the job has to wait.
        """
        async with self._gate:
            tries = 0
            while True:
                key = self._key()
                ticket = await self._enter(key)
                try:
                    return await self._try(operation, request, key, ticket, read, used)
                except ServiceError as error:
                    tries += 1
                    await asyncio.sleep(self._retry_seconds(error, tries))

    async def remembered(
        self, question: Any, adapter: TypeAdapter[T], fetch: Callable[[], Awaitable[T]]
    ) -> T:
        """The answer to the same question of the last cache_seconds, or what `fetch` brings."""
        if not self.settings.cache_seconds:
            return await fetch()
        asked = json.dumps([self.settings.base_url, question], sort_keys=True).encode()
        key = hashlib.sha256(asked).digest()
        rows = await self._patiently("cached_answer", self.name, key, self.settings.cache_seconds)
        if rows:
            self._ledger.metrics.called(self._call("cached", operation=question[0]))
            return adapter.validate_json(rows[0]["answer"])
        answer = await fetch()
        await self._patiently("cache_answer", self.name, key, adapter.dump_json(answer).decode())
        return answer

    # -- before the call

    def _key(self) -> str:
        try:
            key = self.key.text()
        except OSError as error:
            why = f"its key file cannot be read ({error.strerror}): {self.settings.key_file}"
            raise self._snooze(KEY_SECONDS, why) from None
        if key is None:
            name = f"BELLHAND_SERVICES__{self.name.upper()}__KEY"
            why = f"waits for a key: set services.{self.name}.key_file or {name}"
            raise self._snooze(KEY_SECONDS, why)
        return key

    async def _enter(self, key: str) -> uuid.UUID | None:
        """Wait until the call may go out; the ticket if it is the one that probes an open breaker."""
        own, ticket, waited = self.settings, uuid.uuid4(), 0.0
        caps = (own.calls_per_day_max, own.calls_per_month_max)
        dollars = (own.dollars_per_day_max, own.dollars_per_month_max)
        while True:
            (row,) = await self._patiently(
                "service_enter", self.name, fingerprint(key), ticket, own.rate_per_second, own.rate_burst,
                WAIT_SECONDS_MAX - waited, own.seconds_max + PROBE_SECONDS, *caps,
                *(None if d is None else round(d * 1e6) for d in dollars),
            )  # fmt: skip
            verdict, seconds, reason = row["verdict"], row["wait_seconds"], row["reason"]
            if verdict in ("go", "probe"):
                await self._pass(seconds, ticket if verdict == "probe" else None)
                return ticket if verdict == "probe" else None
            if verdict != "paused" or waited + seconds > WAIT_SECONDS_MAX:
                raise self._snooze(seconds, reason)
            await asyncio.sleep(seconds)
            waited += seconds + 0.001

    async def _pass(self, seconds: float, ticket: uuid.UUID | None) -> None:
        """Wait for the token that was taken; a probe that is called off meanwhile says so."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            if ticket is not None:
                self._ledger.call_off(self._call("cancelled", ticket=ticket))
            raise

    # -- the call

    async def _try(
        self,
        operation: str,
        request: Request,
        key: str,
        ticket: uuid.UUID | None,
        read: Callable[[Answer], T],
        used: Used | Callable[[Answer], Used],
    ) -> T:
        loop = asyncio.get_running_loop()
        started, failure, result = loop.time(), None, None
        call = self._call("cancelled", operation=operation, ticket=ticket)
        try:
            answer = await self._wire.send(self._signed(request, key))
            if not isinstance(used, Used) and answer.status == 200:
                call.used = used(answer)
            result = read(answer)
            call.code, call.alive = "ok", True
            call.used = used if isinstance(used, Used) else call.used
        except ServiceError as error:
            failure = self._without_key(error, key)
            call.code, call.alive, call.error = failure.code, not failure.sick, failure.what
            call.pause = self._pause(failure, key)
            failure.paid = call.used.cost_microdollars > 0
        except Exception:
            call.code = "other"
            raise
        finally:
            # Before anything that can be cancelled: what went out has been paid for.
            call.seconds = loop.time() - started
            written = self._ledger.add(call)
        await self._ledger.wait(written, self.name)
        if failure is not None:
            raise failure
        return cast(T, result)

    def _signed(self, request: Request, key: str) -> Request:
        headers, params = self._sign(key)
        return replace(
            request, headers={**request.headers, **headers}, params={**request.params, **params}
        )

    def _call(self, code: str, **what: Any) -> Call:
        own = self.settings
        return Call(
            self.name,
            code=code,
            failures_max=own.breaker_failures,
            open_seconds=own.breaker_seconds,
            **what,
        )

    # -- after a failure

    def _without_key(self, error: ServiceError, key: str) -> ServiceError:
        why = without(key, error.why)[:WHY_CHARS_MAX]
        return ServiceError(
            error.code, error.what, why, service=self.name, retryable=error.retryable, sick=error.sick,
            wait_seconds=error.wait_seconds, pause=error.pause,
        )  # fmt: skip

    def _pause(self, error: ServiceError, key: str) -> Pause | None:
        """What the others with this key should know, before they run into it too."""
        asked = error.wait_seconds
        if error.pause:
            seconds = asked or (KEY_SECONDS if error.code == "key_refused" else QUOTA_SECONDS)
        elif error.code == "rate_limited" and asked:
            seconds = asked
        else:
            return None
        reason = f"{error.what}: {error.why}"
        return Pause(min(seconds, SNOOZE_SECONDS_MAX), reason, fingerprint(key))

    def _retry_seconds(self, error: ServiceError, tries: int) -> float:
        """How long until the next try, if there is to be one; else raises the error, or Snooze."""
        reason, asked = f"{error.what}: {error.why}", error.wait_seconds or 0.0
        if error.pause:
            default = KEY_SECONDS if error.code == "key_refused" else QUOTA_SECONDS
            raise self._snooze(asked or default, reason) from None
        if not error.retryable or error.paid:
            raise error
        if asked > WAIT_SECONDS_MAX:
            raise self._snooze(asked, reason) from None
        if tries > self.settings.retries_max:
            if error.code == "rate_limited":
                raise self._snooze(max(asked, CROWDED_SECONDS), reason) from None
            raise error
        ceiling = min(RETRY_FIRST_SECONDS * 2.0 ** (tries - 1), RETRY_MAX_SECONDS)
        return asked + ceiling * (0.5 + 0.5 * self._random())

    def _snooze(self, seconds: float, reason: str) -> Snooze:
        """Come back later, not all at once."""
        seconds = min(max(seconds, 0.0), SNOOZE_SECONDS_MAX)
        jitter = self._random() * max(JITTER_SECONDS_MIN, JITTER * seconds)
        return Snooze(seconds + jitter, f"{self.name}: {reason}")

    async def _patiently(self, statement: str, *args: Any) -> list[asyncpg.Record]:
        return await patiently(self._random, lambda: self._link.fetch(query(statement), *args))
