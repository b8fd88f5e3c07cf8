"""One walk along redirects: what it carries, and where it may not go on."""

import re
from collections.abc import Collection, Mapping

import aiohttp
from yarl import URL

from .errors import BadAnswer, Forbidden, Unreachable
from .urls import parse, same_origin

_CREDENTIALS = ("authorization", "cookie", "proxy-authorization")
# What says where a request goes and where it ends is the client's own.
_FRAMING = ("host", "content-length", "transfer-encoding")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")


class Walk:
    """One walk along redirects: where it is, where it was, what it carries."""

    def __init__(
        self,
        url: URL,
        headers: dict[str, str],
        *,
        body_bytes_max: int,
        method: str = "GET",
        html_only: bool = False,
        whole: bool = False,
        follows: bool = True,
    ) -> None:
        self.url = url
        self.first = str(url)
        self.headers = headers
        self.method = method
        self.html_only = html_only
        self.whole = whole
        self.follows = follows
        self.body_bytes_max = body_bytes_max
        self.redirects: list[str] = []
        self.seconds = 0.0
        self.requests = 0
        self.kept = False  # the connection of the request under way carried another before
        self._asked_again = False
        # Sites that set a cookie and send the visitor back need it; it dies with the fetch.
        self.jar = aiohttp.CookieJar()
        self._seen = {self._state()}

    def ask(self) -> None:
        """A request goes out."""
        self.requests += 1
        self.kept = False

    def asks_again(self, error: Unreachable) -> bool:
        """Whether the same request goes out once more, in a turn of its own.

        A server may close a kept connection in the moment when it is used again. What broke on a
        fresh one, or broke twice, is the caller's to decide about (RFC 9110, 9.2.2).
        """
        again = self.kept and not self._asked_again and error.code == "disconnected"
        self._asked_again = self._asked_again or again
        return again

    def follow(self, location: str, *, redirects_max: int, ports: Collection[int]) -> None:
        """Go where the answer points, without credentials when that is another origin."""
        here = str(self.url)
        if len(self.redirects) >= redirects_max:
            why = f"more than web.redirects_max, {redirects_max}"
            what = "the site redirects on and on"
            raise BadAnswer("too_many_redirects", what, why, url=here, retryable=False)
        raw = location.encode("utf-8", "surrogateescape")
        there = parse(raw.decode("utf-8", "replace"), ports=ports, base=self.url)
        if not same_origin(self.url, there):
            self.headers = {k: v for k, v in self.headers.items() if k.lower() not in _CREDENTIALS}
        self.url = there
        self.redirects.append(str(there))
        if self._state() in self._seen:
            raise BadAnswer(
                "redirect_loop",
                "the site redirects in a circle",
                str(there),
                url=here,
                retryable=False,
            )
        self._seen.add(self._state())

    def _state(self) -> tuple[str, str]:
        return str(self.url), self.jar.filter_cookies(self.url).output(header="")


def sendable(headers: Mapping[str, str], url: str) -> dict[str, str]:
    """The headers, if none of them could become another header or another request."""
    for name, value in headers.items():
        if name.lower() in _FRAMING:
            why = f"{name} is written by the client"
        elif not _HEADER_NAME.fullmatch(name):
            why = f"{name[:60]!r} is no name of a header"
        elif not _HEADER_VALUE.fullmatch(value):
            why = f"the value of {name} has line breaks or other control characters"
        else:
            continue
        raise Forbidden("bad_header", "a header cannot be sent", why, url=url)
    return dict(headers)
