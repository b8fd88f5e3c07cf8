"""The files that pages need: style, script, pictures; all of them from here, none from elsewhere."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from pathlib import Path

from aiohttp import hdrs, web

from bellhand.callers import needs

FOLDER = Path(__file__).with_name("static")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"
IMPORT = re.compile(rb'(?<= "\./)([\w.]+)(?=")')


class Assets:
    """Read once; a file's address names its contents, so browsers may keep it for ever."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, str]] = {}
        self.digests: dict[str, str] = {}
        self._packed: dict[str, bytes] = {}  # made for the first who takes it
        for path in sorted(FOLDER.iterdir()):
            if path.suffix in TYPES:
                self._take(path)

    def _take(self, path: Path) -> None:
        """Reads it, after the scripts that it imports, whose addresses are written into it: what they hold is part of its own digest."""
        if path.name in self.files:
            return
        body = path.read_bytes()
        for name in IMPORT.findall(body):
            self._take(FOLDER / name.decode())
        body = IMPORT.sub(
            lambda found: found[0] + f"?v={self.digests[found[0].decode()]}".encode(), body
        )
        self.files[path.name] = body, TYPES[path.suffix]
        self.digests[path.name] = hashlib.sha256(body).hexdigest()[:12]

    @property
    def imported(self) -> list[str]:
        """The scripts that others import, for a page that asks for them all at once."""
        return [
            name
            for name in self.files
            if any(f'"./{name}?'.encode() in body for body, _ in self.files.values())
        ]

    def address(self, name: str) -> str:
        """Where a page finds the file."""
        return f"/assets/{name}?v={self.digests[name]}"

    @needs(None)
    async def serve(self, request: web.Request) -> web.Response:
        """The file; what has another digest than was asked for is not kept."""
        name = request.match_info["name"]
        if name not in self.files:
            raise web.HTTPNotFound
        body, sort = self.files[name]
        kept = request.query.get("v") == self.digests[name]
        headers = {hdrs.CACHE_CONTROL: FOR_EVER if kept else "no-cache", hdrs.VARY: hdrs.ACCEPT_ENCODING}  # fmt: skip
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            if name not in self._packed:
                self._packed[name] = await asyncio.to_thread(gzip.compress, body, 9, mtime=0)
            body = self._packed[name]
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        return web.Response(body=body, content_type=sort, charset="utf-8", headers=headers)
