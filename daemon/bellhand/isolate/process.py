"""One process of an isolated handler, and the daemon's side of the conversation with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process as Child
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog

from ..job import Job
from ..kinds import Kind
from ..logs import current_step
from ..outcomes import Cancelled, Failed, LeaseLost, Raised, Retry, Snooze
from .spawn import LINE_BYTES_MAX

log = structlog.get_logger()

GRACE_SECONDS = 2.0  # between SIGTERM and SIGKILL, and for a step that timed out to let go
REAP_SECONDS = 10.0
SAID_CHARS_MAX = 2_000
SAID_LINES_KEPT = 20
MESSAGES_IN_A_ROW = 100


class Crashed(Exception):
    """The process ended without an answer: killed, out of memory, or by its own os._exit."""


class Process:
    """One process and the conversation with it."""

    def __init__(
        self,
        job: Job,
        kind: Kind,
        process: Child,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.job = job
        self.kind = kind
        self.process = process
        self.reader = reader
        self.writer = writer
        self.why: str | None = None  # we killed it, for this reason
        self.stderr: deque[str] = deque(maxlen=SAID_LINES_KEPT)
        self.calls: dict[int, asyncio.Task[None]] = {}
        self.bodies: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self.steps: dict[int, str | None] = {}  # of which each of them is the body
        self.letting_go: dict[int, asyncio.TimerHandle] = {}
        self.body_count = 0
        self.listeners = [
            asyncio.ensure_future(self._overhear("stdout", process.stdout)),
            asyncio.ensure_future(self._overhear("stderr", process.stderr)),
        ]

    def start(self) -> None:
        """Tell it what to run."""
        job = self.job
        self.tell(
            module=self.kind.handler.__module__,
            kind=job.kind,
            lane=job.lane,
            payload=job.payload,
            id=job.id,
            key=str(job.key),
            priority=job.priority,
            attempt=job.attempt,
            attempts_max=job.attempts_max,
            owner=job.owner,
            tags=job.tags,
            timeout_seconds=job.timeout_seconds,
            counters=dict(job.counters),
            memory_bytes_max=self.kind.memory_bytes_max,
            python_path=os.environ.get("PYTHONPATH"),
            asked=job.asked,
        )
        job.on_asked = lambda: self.tell(ask=True)

    def tell(self, **message: Any) -> None:
        """Send one message; a process that is gone hears nothing."""
        if not self.writer.is_closing():
            self.writer.write(json.dumps(message).encode() + b"\n")

    # -- what it says ------------------------------------------------------------------------------

    async def talk(self) -> dict[str, Any]:
        """Answer until the handler is over: how it ended. Raises Crashed when it does not say."""
        heard = 0
        while True:
            try:
                line = await self.reader.readline()
            except ValueError:
                self.kill(
                    f"the process was killed because it sent over {LINE_BYTES_MAX} bytes at once"
                )
                line = b""
            except ConnectionError:
                line = b""
            if not line.endswith(b"\n"):
                raise Crashed(await self._how_it_ended())
            try:
                message = json.loads(line)
                if "body" not in message and ("returned" in message or "raised" in message):
                    return _checked(message)
                self._hear(message)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                self.kill(f"the process was killed because it broke the protocol: {error!r}")
                raise Crashed(await self._how_it_ended()) from error
            heard += 1
            if heard % MESSAGES_IN_A_ROW == 0:  # reading from a full buffer never yields
                await asyncio.sleep(0)

    def _hear(self, message: dict[str, Any]) -> None:
        if "body" in message:
            self._hear_body(int(message["body"]), message)
        elif "counts" in message:
            for name, n in message["counts"].items():
                self.job.count(str(name), n)
        elif "progress" in message:
            self.job.progress(**message["progress"])
        elif "log" in message:
            level = (
                message["log"]
                if message["log"] in ("debug", "info", "warning", "error", "critical")
                else "info"
            )
            fields = {"step": step} if (step := self.steps.get(message.get("of", 0))) else {}
            getattr(self.job.log, level)(str(message["event"]), **(fields | message["fields"]))
        elif "cancel" in message:
            if call := self.calls.get(message["cancel"]):
                call.cancel()
        else:
            method = {"step": self._step, "each": self._each, "enqueue": self._enqueue}[
                message["method"]
            ]
            number = int(message["call"])
            self.calls[number] = asyncio.ensure_future(
                self._answer(number, method, message["with"])
            )

    def _hear_body(self, body: int, message: dict[str, Any]) -> None:
        if "counts" not in message and (timer := self.letting_go.pop(body, None)):
            timer.cancel()
        if queue := self.bodies.get(body):
            queue.put_nowait(message)

    # -- what it asks for --------------------------------------------------------------------------

    async def _answer(
        self, number: int, method: Callable[[dict[str, Any]], Any], given: dict[str, Any]
    ) -> None:
        try:
            self.tell(call=number, value=await method(given))
        except asyncio.CancelledError:
            # By the handler, by the end of the process, or because no further step may start.
            self.tell(call=number, stop=self.job.stopping or "cancelled")
        except LeaseLost:
            self.job.stop("lost")
            self.tell(call=number, stop="lost")
        except Exception as error:  # the boundary: the handler asked for it and is told
            same = getattr(error, "body", None)
            told: dict[str, Any] = {"same": same} if same is not None else {"error": str(error)}
            told["timeout"] = isinstance(error, TimeoutError)
            told["failed"] = isinstance(error, Failed)
            self.tell(call=number, **told)
        finally:
            self.calls.pop(number, None)

    async def _step(self, given: dict[str, Any]) -> Any:
        return await self.job.step(
            given["name"], self._body, given["number"], timeout_seconds=given["timeout_seconds"]
        )

    async def _each(self, given: dict[str, Any]) -> Any:
        names = [str(name) for name in given["names"]]

        async def body(item: int) -> Any:
            return await self._body(given["number"], item)

        return await self.job.each(
            range(len(names)),
            body,
            name=names.__getitem__,
            concurrency=int(given["concurrency"]),
            timeout_seconds=given["timeout_seconds"],
            rate=given["rate"],
        )

    async def _enqueue(self, given: dict[str, Any]) -> Any:
        if given["run_at"] is not None:
            given["run_at"] = datetime.fromisoformat(given["run_at"])
        del given["number"]
        return await self.job.enqueue(given.pop("kind"), given.pop("payload"), **given)

    async def _body(self, number: int, item: int | None = None) -> Any:
        """Have the body of a step run over there; what it counts counts for the step."""
        self.body_count += 1
        body = self.body_count
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.bodies[body], self.steps[body] = heard, current_step.get()
        self.tell(body=body, run=number, item=item)
        try:
            while "counts" in (message := await heard.get()):
                for name, n in message["counts"].items():
                    self.job.count(str(name), n)
        except asyncio.CancelledError:
            self.tell(body=body, cancel=True)
            late = "the process was killed because a step that was stopped did not let go"
            loop = asyncio.get_running_loop()
            self.letting_go[body] = loop.call_later(GRACE_SECONDS, self.kill, late)
            raise
        finally:
            del self.bodies[body], self.steps[body]
        if "value" in message:
            return json.loads(message["value"])
        if message["raised"] == "stopped":
            raise asyncio.CancelledError
        error = error_of(message)
        error.body = body  # type: ignore[attr-defined]
        raise error

    # -- its end -----------------------------------------------------------------------------------

    def kill(self, why: str) -> None:
        """Kill the process and whatever it has started."""
        if self.process.returncode is None:
            self.why = self.why or why
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def end(self, politely: bool) -> None:
        """See the process off; a second cancellation kills it at once."""
        self.job.on_asked = None
        ending = asyncio.ensure_future(self._end(politely))
        cancelled = False
        while not ending.done():
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                cancelled = True
                self.kill("the process was killed")
        ending.result()
        if cancelled:
            raise asyncio.CancelledError

    async def _end(self, politely: bool) -> None:
        calls = list(self.calls.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        if politely and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
        try:
            await self._wait(GRACE_SECONDS)
        finally:
            for timer in self.letting_go.values():
                timer.cancel()
            # Whatever the handler started goes with it, and lets go of the pipes.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            try:
                await self._wait(REAP_SECONDS)
                if self.process.returncode is None:
                    log.error("process_not_reaped", job=self.job.id, pid=self.process.pid)
                await asyncio.wait(self.listeners, timeout=GRACE_SECONDS)
            finally:
                for listener in self.listeners:
                    listener.cancel()
                await asyncio.gather(*self.listeners, return_exceptions=True)
                self.writer.transport.abort()
                # A grandchild in a session of its own may hold the pipes; asyncio has no public way
                # to close our end.
                self.process._transport.close()  # type: ignore[attr-defined]

    async def _wait(self, seconds: float) -> None:
        """Return when the process has ended, or after `seconds`.

        Looks again and again: Process.wait() also waits for pipes that a grandchild may hold.
        """
        nap = 0.002
        while self.process.returncode is None and seconds > 0:
            await asyncio.sleep(nap)
            seconds, nap = seconds - nap, min(0.05, nap * 1.5)

    async def _how_it_ended(self) -> str:
        """In one sentence, with the end of what it said on stderr."""
        await self._wait(GRACE_SECONDS)
        self.kill("the process was killed because it closed its end of the conversation")
        await self._wait(REAP_SECONDS)
        await asyncio.wait(self.listeners, timeout=GRACE_SECONDS)
        code = self.process.returncode or 0
        if self.why:
            how = self.why
        elif code < 0:
            how = f"the process was killed by signal {-code} ({signal.Signals(-code).name})"
            how += ", by the kernel for memory perhaps" if code == -signal.SIGKILL else ""
        else:
            how = f"the process ended with exit code {code} before the handler did"
        return "\n".join([how, *self.stderr])

    async def _overhear(self, name: str, stream: asyncio.StreamReader | None) -> None:
        """Log what the handler prints, line by line."""
        assert stream is not None  # asked for when it was started
        rest = b""
        while data := await stream.read(65536):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > SAID_CHARS_MAX:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._say(name, line)
        if rest:
            self._say(name, rest)

    def _say(self, name: str, line: bytes) -> None:
        text = line[:SAID_CHARS_MAX].decode(errors="replace").rstrip()
        if name == "stderr":
            self.stderr.append(text)
        if text:
            self.job.log.info("handler_printed", stream=name, text=text)


def _checked(message: dict[str, Any]) -> dict[str, Any]:
    """The last message, if it is one that can be understood; else ValueError and the like."""
    if "returned" in message:
        json.loads(message["returned"])
    elif message["raised"] != "stopped":
        error_of(message)
    return message


def error_of(message: dict[str, Any]) -> Exception:
    """What was raised over there, as the same type if it is one of ours."""
    text = str(message["text"])
    seconds = message["seconds"]
    match message["raised"]:
        case "Retry":
            return Retry(text, after_seconds=None if seconds is None else float(seconds))
        case "Snooze":
            return Snooze(float(seconds), text)
        case "Cancelled":
            return Cancelled(text)
        case "Failed":
            return Failed(text)
        case "MemoryError":
            return Crashed(text)
    return Raised(text)
