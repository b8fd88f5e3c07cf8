"""What a fetch brings: a page, and the response it was read from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Page:
    """What a fetch brought; `truncated` says that the body was cut at its limit or broke off.

    `text` is empty for what is not text. `tls_expires` is the certificate's last moment as the
    certificate writes it, for example "Jun  1 12:00:00 2027 GMT", and None without TLS. `ip` is
    the address that answered last. `requests` counts all that the fetch sent: one, one more for
    each redirect, and one where a kept connection broke.
    """

    url: str
    final_url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    text: str
    redirects: tuple[str, ...]
    truncated: bool
    elapsed_seconds: float
    tls_expires: str | None
    ip: str | None
    requests: int = 1

    @property
    def content_type(self) -> str:
        """The media type alone, in lower case; empty when the server told none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def is_html(self) -> bool:
        """Whether the body is a page: said to be HTML, or said to be nothing and looking so."""
        if self.content_type in ("text/html", "application/xhtml+xml"):
            return True
        return not self.content_type and b"<" in self.body[:1024]


class Response(aiohttp.ClientResponse):
    """Keeps what is out of reach once a short body has been read: the peer, its certificate."""

    tls_expires: str | None = None
    ip: str | None = None

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        peer = connection.transport and connection.transport.get_extra_info("peername")
        if peer:
            self.ip = peer[0].partition("%")[0]
        channel = connection.transport and connection.transport.get_extra_info("ssl_object")
        if channel is not None:
            self.tls_expires = (channel.getpeercert() or {}).get("notAfter")
        return await super().start(connection)
