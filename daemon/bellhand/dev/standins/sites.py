"""The websites of the businesses that do not exist: an address of its own in 127.0.0.0/8 for each, opened when first told."""

from __future__ import annotations

from html import escape

from aiohttp import web

from .businesses import Business

OPEN_MAX = 300  # each is a socket that listens
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title>
<meta name="description" content="{trade} in {place}"></head>
<body><h1>{name}</h1><p>{trade} in {place}. Call {phone}.</p>
<p>{house} {street}, {place}</p>
<p><a href="mailto:office@{slug}.example.org">Write to us</a> <a href="/contact">Contact</a></p>
<p><a href="https://www.facebook.com/{handle}">Facebook</a></p>
</body></html>"""


class Sites:
    """Where the websites are; without `runner` they have names that lead nowhere (RFC 2606)."""

    def __init__(self, runner: web.AppRunner | None, port: int) -> None:
        self._runner = runner
        self._port = port
        self._open: dict[str, Business] = {}

    async def address(self, one: Business) -> str | None:
        """The address of its website, None if it has none."""
        if not one.has_website:
            return None
        if self._runner is None:
            return f"https://www.{one.slug}.example/"
        ip = one.address_ip
        if ip not in self._open:
            if len(self._open) >= OPEN_MAX:
                return None
            try:
                await web.TCPSite(self._runner, ip, self._port).start()
            except OSError:  # this system has 127.0.0.1 and no other
                return None
            self._open[ip] = one
        return f"http://{ip}:{self._port}/"

    def page(self, host: str) -> web.Response:
        """The page of the business at this address."""
        one = self._open.get(host)
        if one is None:
            return web.Response(text="There is no such site.", status=404)
        digits = one.phone
        text = PAGE.format(
            name=escape(one.name), trade=escape(one.trade), place=escape(one.place), slug=one.slug, house=one.house,
            street=f"{one.street[0]} {one.street[1]}", handle=one.slug.replace("-", "."),
            phone=f"({digits[:3]}) {digits[3:6]}-{digits[6:]}",
        )  # fmt: skip
        return web.Response(text=text, content_type="text/html")
