"""The files that pages need: style, script, pictures; all of them from here, none from elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aiohttp import web

from bellhand.callers import needs

FOLDER = Path(__file__).with_name("static")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"


class Assets:
    """Read once; a file's address names its contents, so browsers may keep it for ever."""

    def __init__(self) -> None:
        self.files = {
            path.name: (path.read_bytes(), TYPES[path.suffix])
            for path in sorted(FOLDER.iterdir())
            if path.suffix in TYPES
        }
        self.digests = {
            name: hashlib.sha256(body).hexdigest()[:12] for name, (body, _) in self.files.items()
        }

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
        headers = {"Cache-Control": FOR_EVER if kept else "no-cache"}
        return web.Response(body=body, content_type=sort, charset="utf-8", headers=headers)
