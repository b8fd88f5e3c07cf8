"""Faults on demand: which, how often, for how long."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from aiohttp import web

SERVICES = ("serpapi", "places", "openai", "stripe")
# What any of them can do wrong.
FAULTS = {
    "rate": "429 with Retry-After, or without if seconds is 0",
    "quota": "what the service says when the account has nothing left",
    "refused": "what it says to a key that it does not know",
    "error": "HTTP 500",
    "unavailable": "HTTP 503 with what the service says then",
    "slow": "the right answer, after so many seconds",
    "truncated": "the answer breaks off in the middle of its body",
    "malformed": "HTTP 200 with half a JSON document",
    "reset": "the connection is reset",
    "moved": "a redirect to elsewhere",
    "large": "an answer that has no end",
    "length": "openai: the answer reached max_tokens",
    "no_end": "openai: the answer has no finish_reason",
    "refusal": "openai: the model declines",
    "misfit": "openai: the answer does not fit the schema",
    "too_long": "openai: the question does not fit the context",
    "busy": "stripe: somebody else is changing the same payment",
    "declined": "stripe: the bank declines the payment that is confirmed",
}


@dataclass(slots=True)
class Fault:
    """One of FAULTS, for the next `times` requests."""

    name: str
    times: int = 1
    seconds: float = 0.0


class Faults:
    """What goes wrong next, by service; in the order of setting."""

    def __init__(self) -> None:
        self._next: dict[str, deque[Fault]] = {service: deque() for service in SERVICES}

    def set(self, service: str, name: str, *, times: int = 1, seconds: float = 0.0) -> None:
        """Let the next `times` requests to the service go wrong; raises ValueError for what there is not."""
        if service not in self._next:
            raise ValueError(f"no service {service!r}; there is {', '.join(SERVICES)}")
        if name not in FAULTS:
            raise ValueError(f"no fault {name!r}; there is {', '.join(FAULTS)}")
        if times > 0:
            self._next[service].append(Fault(name, times, seconds))

    def clear(self) -> None:
        """Let everything go right again."""
        for faults in self._next.values():
            faults.clear()

    def take(self, service: str) -> Fault | None:
        """What goes wrong with this request, if anything."""
        faults = self._next[service]
        if not faults:
            return None
        faults[0].times -= 1
        return faults.popleft() if faults[0].times <= 0 else faults[0]


async def spoiled(request: web.Request, answer: web.Response, fault: Fault) -> web.StreamResponse:
    """The right answer gone wrong on its way."""
    body = answer.body if isinstance(answer.body, bytes) else b"{}"
    match fault.name:
        case "malformed":
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
        case "moved":
            return web.Response(status=302, headers={"Location": "https://example.com/elsewhere"})
        case "reset":
            assert request.transport is not None
            request.transport.abort()
            return answer
    stream = web.StreamResponse(headers={"Content-Type": "application/json"})
    stream.content_length = None if fault.name == "large" else len(body)
    await stream.prepare(request)
    if fault.name == "large":
        for _ in range(200):
            await stream.write(b" " * 1_000_000)
    else:
        await stream.write(body[: len(body) // 2])
        assert request.transport is not None
        request.transport.close()
    return stream
