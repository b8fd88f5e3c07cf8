"""Messages to other programs: one guarded POST, no redirect, little read of the answer; and where channels of the configuration lead."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from pydantic import SecretStr
from yarl import URL

from ..settings_notify import Channel, Notify
from .errors import Forbidden, explained
from .guard import inside_only, networks, socket_guard
from .retry_after import retry_after_seconds
from .secret import Key
from .urls import parse

ANSWER_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said: its status, how long it asks to wait, the beginning of its answer."""

    status: int
    wait_seconds: float | None
    text: str

    @property
    def taken(self) -> bool:
        """Whether the message is delivered: 2xx and nothing else."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Place:
    """Where a channel leads: an address or a URL, and the secrets that sign."""

    where: str
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Place(***)"


class Hooks:
    """The daemon's one way to post messages; `resolver` and `tls` replace the system's, for tests and private setups."""

    def __init__(
        self,
        settings: Notify,
        *,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._resolver = resolver
        self._tls = tls
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self.reload(settings)

    def reload(self, settings: Notify) -> None:
        """Take in other channels and times; networks and ports are those of the start."""
        self.settings = settings
        self._networks = networks(settings.allow_networks)
        self._keys = {name: _keys(channel) for name, channel in settings.channels.items()}

    def place(self, channel: str) -> Place | None:
        """Where a channel of the configuration leads, None if it has no such channel; raises OSError for a file that
        cannot be read. Files are read anew when they change."""
        if channel not in self._keys:
            return None
        where, secret = (key.text() or "" for key in self._keys[channel])
        return Place(where, tuple(secret.split()))

    async def close(self) -> None:
        """Close every connection; a later message opens anew."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post JSON; any status is an answer, a redirect too, no answer is a WebError.

        Without encryption only networks of allow_networks are talked to.
        """
        own = self.settings
        try:
            return await self._post(parse(address, ports=own.ports), body, headers)
        except Forbidden as error:
            why = error.why.replace("web.", "notify.")
            if error.code == "blocked_address" and address.lower().startswith("http:"):
                why = "without encryption only networks of notify.allow_networks are posted to; use https"
            raise Forbidden(error.code, error.what, why, url=error.url) from None

    async def _post(self, url: URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        own = self.settings
        timeout = aiohttp.ClientTimeout(total=own.seconds_max, sock_connect=own.connect_seconds)
        with explained(f"{url.scheme}://{url.raw_host}"):
            async with (
                asyncio.timeout(own.seconds_max),
                self._client(url).post(
                    url, data=body, headers={"Content-Type": "application/json", **headers},
                    allow_redirects=False, timeout=timeout,
                ) as response,
            ):  # fmt: skip
                try:
                    begun = await response.content.read(ANSWER_BYTES_MAX)
                except aiohttp.ClientPayloadError:
                    begun = b""  # the status is what counts
                wait_seconds = retry_after_seconds(response.headers)
                response.close()
                return Answer(response.status, wait_seconds, begun.decode("utf-8", "replace"))

    def _client(self, url: URL) -> aiohttp.ClientSession:
        if url.scheme not in self._sessions:
            guard = socket_guard(self._networks, self.settings.ports)
            if url.scheme == "http":
                guard = inside_only(self._networks)
            connector = aiohttp.TCPConnector(
                socket_factory=guard,
                resolver=self._resolver or ThreadedResolver(),
                ssl=self._tls or True,
                limit=100,
                limit_per_host=10,
            )
            self._sessions[url.scheme] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                headers={"User-Agent": "bellhand", "Accept-Encoding": "identity"},
            )
        return self._sessions[url.scheme]


def _keys(channel: Channel) -> tuple[Key, Key]:
    address = SecretStr(channel.address) if channel.address else channel.url
    return Key(address, channel.url_file), Key(channel.secret, channel.secret_file)
