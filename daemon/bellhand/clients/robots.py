"""What a site's robots.txt allows us (RFC 9309), remembered for a while and within bounds."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from protego import Protego

from .errors import BadAnswer, Forbidden, WebError
from .once import Once

# RFC 9309 wants at least 500 KiB of a file read, and a copy used for a day at most.
BODY_BYTES_MAX = 500 * 1024
_OLD_SECONDS_MAX = 86_400.0
# An origin whose robots.txt could not be had is asked again so soon.
_AGAIN_SECONDS = 60.0
# Of all texts together; what the parser makes of one takes up to forty times its room.
_CHARS_MAX = 4_000_000
_CHARS_EACH_MIN = 400
# Above this, reading or asking the rules can take longer than a loop should stand still.
_LARGE_CHARS = 10_000
_REDIRECTED_AWAY = ("too_many_redirects", "redirect_loop")
_COMPATIBLE = re.compile(r"compatible;\s*([a-z_-]+)", re.IGNORECASE)
_PRODUCT = re.compile(r"[a-z_-]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking for a robots.txt brought: the last hop's status and the text."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an address may be fetched, and why; `error` is what to raise where it may not.

    `sitemaps` are as the file writes them, `crawl_delay_seconds` within our own bound.
    """

    allowed: bool
    reason: str
    crawl_delay_seconds: float | None = None
    sitemaps: tuple[str, ...] = ()
    error: WebError | None = None


@dataclass(frozen=True, slots=True)
class _Rules:
    """An origin's rules; without `parsed` everything is allowed, or with an `error` nothing is."""

    read_at: float
    good_until: float
    reason: str
    chars: int = 0
    parsed: Protego | None = None
    error: WebError | None = None
    delay_seconds: float | None = None
    sitemaps: tuple[str, ...] = ()


class Robots:
    """Asks each origin once, whoever wants to know; what was used longest ago is forgotten first.

    `fetch` brings the robots.txt of an address or raises WebError; `slow_down` is told of delays.
    """

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[Answer]],
        *,
        user_agent: str,
        keep_seconds: float,
        crawl_delay_seconds_max: float,
        slow_down: Callable[[str, float], None],
    ) -> None:
        self._fetch = fetch
        self._name = product_token(user_agent)
        self._keep_seconds = min(keep_seconds, _OLD_SECONDS_MAX)
        self._delay_seconds_max = crawl_delay_seconds_max
        self._slow_down = slow_down
        self._known: OrderedDict[str, _Rules] = OrderedDict()
        self._chars = 0
        self._once = Once[_Rules]()

    async def allowed(self, address: str) -> Verdict:
        """Whether this http(s) address may be fetched; asks for robots.txt if it is not known."""
        parts = urlsplit(address)
        origin = f"{parts.scheme}://{parts.netloc}"
        rules = await self._rules(origin)
        # Told each time: the other side forgets hosts that nobody has asked for in a while.
        self._slow_down(parts.hostname or "", rules.delay_seconds or 0.0)
        if rules.error is not None:
            return Verdict(False, rules.reason, error=rules.error)
        facts = (rules.delay_seconds, rules.sitemaps)
        if rules.parsed is None:
            return Verdict(True, rules.reason, *facts)
        asked = (address, self._name)
        if rules.chars > _LARGE_CHARS:
            fine = await asyncio.to_thread(rules.parsed.can_fetch, *asked)
        else:
            fine = rules.parsed.can_fetch(*asked)
        if fine:
            return Verdict(True, rules.reason, *facts)
        why = f"{origin}/robots.txt keeps {self._name} away from it"
        error = Forbidden("robots", "the site does not want this page visited", why, url=address)
        return Verdict(False, why, *facts, error=error)

    async def close(self) -> None:
        """End what is still being asked."""
        await self._once.close()

    async def _rules(self, origin: str) -> _Rules:
        known = self._known.get(origin)
        if known is not None and known.good_until > asyncio.get_running_loop().time():
            self._known.move_to_end(origin)
            return known
        return await self._once.get(origin, lambda: self._learn(origin, known))

    async def _learn(self, origin: str, old: _Rules | None) -> _Rules:
        loop = asyncio.get_running_loop()
        try:
            answer = await self._fetch(f"{origin}/robots.txt")
        except WebError as error:
            rules = self._without_answer(origin, error, loop.time())
        else:
            rules = await self._from_answer(origin, answer, loop.time())
        if rules.error is not None and old is not None and old.error is None:
            still_good = old.read_at + _OLD_SECONDS_MAX > loop.time()
            # The file was there a short while ago: its rules hold on.
            rules = replace(old, good_until=loop.time() + _AGAIN_SECONDS) if still_good else rules
        self._remember(origin, rules)
        return rules

    async def _from_answer(self, origin: str, answer: Answer, now: float) -> _Rules:
        status, until = answer.status, now + self._keep_seconds
        if status == 429 or status >= 500:
            what, why = "its rules for robots cannot be read", f"robots.txt answers {status}"
            url = f"{origin}/robots.txt"
            error = BadAnswer("robots_unreachable", what, why, url=url, retryable=True)
            return _Rules(now, now + _AGAIN_SECONDS, str(error), error=error)
        if not 200 <= status < 300:
            return _Rules(now, until, f"there is no robots.txt (HTTP status {status})")
        text = answer.text
        if len(text) > _LARGE_CHARS:
            parsed = await asyncio.to_thread(Protego.parse, text)
        else:
            parsed = Protego.parse(text)
        return _Rules(
            now, until, "robots.txt allows it", len(text), parsed,
            delay_seconds=self._delay(parsed), sitemaps=tuple(parsed.sitemaps),
        )  # fmt: skip

    def _without_answer(self, origin: str, error: WebError, now: float) -> _Rules:
        if error.code in _REDIRECTED_AWAY:
            return _Rules(now, now + self._keep_seconds, "robots.txt leads nowhere")
        again = min(_AGAIN_SECONDS, error.after_seconds or _AGAIN_SECONDS)
        return _Rules(now, now + again, f"{origin}/robots.txt: {error}", error=error)

    def _delay(self, parsed: Protego) -> float | None:
        delay, rate = parsed.crawl_delay(self._name), parsed.request_rate(self._name)
        asked = [float(delay)] if delay is not None else []
        if rate is not None and rate.requests > 0:
            asked.append(rate.seconds / rate.requests)
        return min(max(asked), self._delay_seconds_max) if asked else None

    def _remember(self, origin: str, rules: _Rules) -> None:
        self._forget(origin)
        self._known[origin] = rules
        self._chars += max(rules.chars, _CHARS_EACH_MIN)
        while self._chars > _CHARS_MAX:
            self._forget(next(iter(self._known)))

    def _forget(self, origin: str) -> None:
        old = self._known.pop(origin, None)
        if old is not None:
            self._chars -= max(old.chars, _CHARS_EACH_MIN)


def product_token(user_agent: str) -> str:
    """The name that rules are written for, `bellhand` out of `bellhand/1.0 (+https://...)`."""
    match = _COMPATIBLE.search(user_agent)
    if match is not None:
        return match.group(1).lower()
    match = _PRODUCT.match(user_agent)
    return match.group().lower() if match is not None else "*"
