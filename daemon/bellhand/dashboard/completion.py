"""What a search that is being written may go on as: qualifiers, and values that there are."""

from __future__ import annotations

import json

from aiohttp import web

from bellhand.dashboard.overview import lanes_of
from bellhand.dashboard.search import WORDS
from bellhand.dashboard.site import Site
from bellhand.logs import SECRET_NAME, without_secrets
from bellhand.states import PARTIAL, STATES

SHOWN = 12
TEXT_CHARS_MAX = 500
FIXED = {
    "state": (*STATES, PARTIAL, "live", "over"),
    "since": ("15min", "1h", "24h", "7d"),
    "slow": ("10s", "60s", "10min", "1h"),
}
QUALIFIERS = (*(f"{word}:" for word in WORDS), "tag.", "payload.")
LOOKED_UP = ("owner", "error", "tag", "payload")


class Completion:
    """GET /jobs/words."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def show(self, request: web.Request) -> web.Response:
        """The text with its last term completed in a few ways: [{text, said}], the most frequent first."""
        text = request.query.get("q", "")[:TEXT_CHARS_MAX]
        head, blank, term = text.rpartition(" ")
        found = (await self._words(term))[:SHOWN]
        return web.json_response(
            [{"text": head + blank + word, "said": said} for word, said in found]
        )

    async def _words(self, term: str) -> list[tuple[str, str]]:
        """What one term may become, each with how often there is such a job, where that is known."""
        name, colon, begun = term.partition(":")
        if colon:
            found = await self._values(name, begun)
            return [(f"{name}:{quoted(value)}", said) for value, said in found]
        if term.startswith(("tag.", "payload.")):
            return await self._keys(term)
        if not term:
            return []
        low = term.lower()
        kinds = [f"kind:{kind}" for kind in (await self.site.frame()).kinds if low in kind]
        return [(word, "") for word in (*(q for q in QUALIFIERS if q.startswith(low)), *kinds)]

    async def _values(self, name: str, begun: str) -> list[tuple[str, str]]:
        """Values of a qualifier that begin so; kinds are known by any part of theirs."""
        low = begun.lower()
        if name == "kind":
            return [(one, "") for one in (await self.site.frame()).kinds if low in one]
        if name == "lane":
            lanes = await lanes_of(self.site)
            return [(one["lane"], "") for one in lanes if one["lane"].startswith(low)]
        if name in FIXED:
            return [(one, "") for one in FIXED[name] if one.startswith(low)]
        sort, _, path = name.partition(".")
        if sort not in LOOKED_UP or SECRET_NAME.search(path):
            return []
        return await self._asked(sort, path.split("."), begun)

    async def _keys(self, term: str) -> list[tuple[str, str]]:
        """Keys of tags or payloads that begin so."""
        stem, _, begun = term.rpartition(".")
        sort, *path = stem.split(".")
        found = await self._asked(f"{sort}s", path, begun)
        return [(f"{stem}.{key}:", said) for key, said in found if not SECRET_NAME.search(key)]

    async def _asked(self, sort: str, path: list[str], begun: str) -> list[tuple[str, str]]:
        rows = await self.site.look.fetch("page_words", sort, path, begun)
        shown = [row for row in rows if without_secrets(row["value"]) == row["value"]]
        return [(row["value"], f"{row['jobs']} of the newest jobs") for row in shown]


def quoted(value: str) -> str:
    """As the search reads it back."""
    return (
        json.dumps(value, ensure_ascii=False)
        if " " in value or '"' in value or "'" in value
        else value
    )
