"""The conversation with the daemon, as the process of an isolated handler leads it."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import json
import os
import traceback
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import structlog

from ..outcomes import (
    FRAMES_MAX,
    Cancelled,
    Failed,
    Retry,
    Snooze,
    encode,
    for_good,
    meant,
    storable,
)

FLUSH_SECONDS = 0.2


@dataclass(slots=True)
class Body:
    """The body of a step that runs now."""

    number: int
    counts: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """A question to the daemon: the function that it has us run for it, and what that raised."""

    answer: asyncio.Future[dict[str, Any]]
    run: Callable[[Any], Any] | None = None
    context: contextvars.Context | None = None
    raised: dict[int, BaseException] = field(default_factory=dict)
    keep: tuple[type[BaseException], ...] = (BaseException,)


_body: contextvars.ContextVar[Body | None] = contextvars.ContextVar("body", default=None)


class Parent:
    """The conversation with the daemon."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.loop = asyncio.get_running_loop()
        self.asked = False
        self.numbers = itertools.count(1)
        self.calls: dict[int, Call] = {}
        self.bodies: dict[int, asyncio.Task[None]] = {}
        self.noted: dict[str, Any] = {}
        self.counted: dict[int, dict[str, float]] = {}
        self.flushing = False

    def send(self, **message: Any) -> None:
        """Send one message; on the loop only."""
        self.writer.write(json.dumps(message, default=repr).encode() + b"\n")

    # -- what is said now and then, from any thread ------------------------------------------------

    def note(self, progress: dict[str, Any]) -> None:
        """Pass on the progress soon."""
        self.loop.call_soon_threadsafe(self._note, progress, None, {})

    def count(self, counters: dict[str, float], name: str, n: float) -> None:
        """Count here at once, and soon over there."""
        self.loop.call_soon_threadsafe(self._note, {}, _body.get(), {name: n})
        counters[name] = counters.get(name, 0) + n

    def _note(self, progress: dict[str, Any], body: Body | None, counts: dict[str, float]) -> None:
        self.noted |= progress
        waiting = self.counted.setdefault(body.number if body else 0, {})
        for name, n in counts.items():
            waiting[name] = waiting.get(name, 0) + n
            if body:
                body.counts[name] = body.counts.get(name, 0) + n
        if not self.flushing:
            self.flushing = True
            self.loop.call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Say what was noted."""
        self.flushing = False
        noted, self.noted = self.noted, {}
        counted, self.counted = self.counted, {}
        if noted:
            self.send(progress=noted)
        for body, counts in counted.items():
            if counts:
                self.send(counts=counts, **({"body": body} if body else {}))

    def log(self, _logger: object, level: str, event: MutableMapping[str, Any]) -> NoReturn:
        """The last of structlog's processors: the line is written by the daemon."""
        text, body = str(event.pop("event", "")), _body.get()
        of = {"of": body.number} if body else {}
        self.loop.call_soon_threadsafe(
            lambda: self.send(log=level, event=text, fields=dict(event), **of)
        )
        raise structlog.DropEvent

    # -- questions and answers ---------------------------------------------------------------------

    async def ask(
        self,
        method: str,
        run: Callable[[Any], Any] | None = None,
        keep: tuple[type[BaseException], ...] = (),
        **given: Any,
    ) -> Any:
        """Ask the daemon, which may have us call `run` meanwhile; if that raises one of `keep`,
        so does this."""
        number = next(self.numbers)
        question = Call(self.loop.create_future(), run, contextvars.copy_context(), {}, keep)
        self.calls[number] = question
        try:
            self.send(call=number, method=method, **{"with": {"number": number, **given}})
            answer = await question.answer
        except asyncio.CancelledError:
            self.send(cancel=number)
            raise
        finally:
            del self.calls[number]
        if "value" in answer:
            return answer["value"]
        if "stop" in answer:
            raise asyncio.CancelledError(answer["stop"])
        if "same" in answer and answer["same"] in question.raised:
            raise question.raised[answer["same"]]
        error = TimeoutError if answer["timeout"] else RuntimeError
        raise (Failed if answer["failed"] else error)(answer.get("error", "the step failed"))

    async def listen(self) -> NoReturn:
        """Hear the daemon until it is gone, and go too."""
        try:
            await self._listen()
        except Exception:  # out of memory, say: nobody would hear the daemon any more
            traceback.print_exc()
        os._exit(1)

    async def _listen(self) -> None:
        while line := await self.reader.readline():
            message = json.loads(line)
            if "run" in message:
                question = self.calls.get(message["run"])
                context = question.context.copy() if question and question.context else None
                body = self._run(message["body"], question, message["item"])
                self.bodies[message["body"]] = self.loop.create_task(body, context=context)
            elif "cancel" in message:
                if task := self.bodies.get(message["body"]):
                    task.cancel()
            elif "ask" in message:
                self.asked = True
            elif (question := self.calls.get(message["call"])) and not question.answer.done():
                question.answer.set_result(message)

    async def _run(self, number: int, question: Call | None, item: Any) -> None:
        """Run the body of one step and say how it ended."""
        _body.set(body := Body(number))
        said: dict[str, Any]
        try:
            if question is None or question.run is None:
                raise asyncio.CancelledError
            said = {"value": encode(await question.run(item)) or "null"}
        except BaseException as error:  # the boundary: told to the daemon, which decides
            said = told_of(error)
            if question and isinstance(error, question.keep):
                question.raised[number] = error
        # What threads counted is taken in first.
        self.loop.call_soon(self._finish, body, said)

    def _finish(self, body: Body, said: dict[str, Any]) -> None:
        self.flush()
        if "raised" in said:
            self.take_back(body.counts)
        self.send(body=body.number, **said)
        del self.bodies[body.number]

    take_back: Callable[[dict[str, float]], None]


def told_of(error: BaseException) -> dict[str, Any]:
    """An exception as the daemon is told of it."""
    error = meant(error)
    if isinstance(error, asyncio.CancelledError):
        return {"raised": "stopped", "text": "", "seconds": None}
    for ours in (Retry, Snooze, Cancelled, Failed):
        if isinstance(error, ours):
            seconds = getattr(error, "after_seconds", getattr(error, "seconds", None))
            return {"raised": ours.__name__, "text": storable(str(error)), "seconds": seconds}
    name = "MemoryError" if isinstance(error, MemoryError) else "other"
    if for_good(error):
        name = "Failed"
    return {
        "raised": name,
        "text": storable("".join(traceback.format_exception(error, limit=-FRAMES_MAX))),
        "seconds": None,
    }
