"""The documents: /openapi.json, /docs, the guides and the search under it, /llms.txt, /problems, /runbooks/{alert}. They load nothing from elsewhere."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from bellhand.api.finding import QUERY_CHARS_MAX, Found, Passage, find, passage
from bellhand.api.guides import address, as_html, parts
from bellhand.api.openapi import document
from bellhand.api.operations import Operation, answer
from bellhand.api.reference import SECONDS_MAX, NoReference, Reference
from bellhand.callers import needs
from bellhand.guides import guide, is_made, overview, sections, titles
from bellhand.problem_sorts import SORTS
from bellhand.problems import not_found
from bellhand.runbooks import runbooks

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

HERE = Path(__file__).parent
# Pages that tell what was tried and measured: who looks for how something is done means another one.
RECORDS = ("decisions", "faults", "performance", "seeds")
POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


log = structlog.get_logger()


class Docs:
    """Pages for people, each made when it is first asked for."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations
        self.reference = Reference()
        self.guides: dict[str, str] = {}
        self.index: list[Passage] = []
        self.whole = False  # whether the reference is in the index

    @cached_property
    def document(self) -> dict[str, Any]:
        return document(self.operations)

    @cached_property
    def templates(self) -> jinja2.Environment:
        import jinja2

        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.FileSystemLoader(HERE)
        )
        environment.filters |= {"coded": _coded, "address": address}
        return environment

    @cached_property
    def page(self) -> str:
        info, groups = self.document["info"], _groups(self.document)
        template = self.templates.get_template("docs.html")
        return template.render(
            info=info, groups=groups, guides=sections(), problems=SORTS, only=None
        )

    def guide_page(self, name: str, text: str) -> str:
        """A guide in its frame."""
        from markupsafe import Markup

        if name not in self.guides:
            body = Markup(as_html(name, text))  # noqa: S704 (made of text that the parser has escaped)
            template = self.templates.get_template("guide.html")
            self.guides[name] = template.render(title=titles()[name], body=body)
        return self.guides[name]

    def gathered(self, reference: dict[str, str]) -> list[Passage]:
        """All that is looked through: guides, the reference that there is, routes and problems, each in its passages."""
        found: list[Passage] = []
        for name, title in titles().items():
            text = reference.get(name) if is_made(name) else guide(name)
            if text is None or name == "reference/problems":  # whose texts have pages of their own
                continue
            weight = 0.6 if name in RECORDS else 1.0
            for heading, anchor, said in parts(text):
                place = f"{address(name)}#{anchor}" if anchor else address(name)
                found.append(passage(title, heading, place, said, weight))
        for path, methods in self.document["paths"].items():
            for method, one in methods.items():
                said = " ".join([one["summary"], one.get("description", ""), *(p["name"] for p in one["parameters"])])  # fmt: skip
                place = f"/docs#{one['operationId']}"
                found.append(passage("HTTP API", f"{method.upper()} {path}", place, said))
        for slug, sort in SORTS.items():
            said = f"{sort.title}. {sort.text} {sort.hint}"
            found.append(passage("Problems", slug, f"/problems/{slug}", said))
        return found

    @cached_property
    def style(self) -> str:
        return (HERE / "docs.css").read_text(encoding="utf-8")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/openapi.json", self._openapi),
            web.get("/docs", self._docs),
            web.get("/docs.css", self._style),
            web.get("/llms.txt", self._overview),
            web.get("/docs/search", self._search),
            web.get("/docs/{guide:.+}", self._guide),
            web.get("/problems", self._problems),
            web.get("/problems/{slug}", self._problem),
            web.get("/runbooks/{alert}", self._runbook),
        ]

    @needs(None)
    async def _openapi(self, request: web.Request) -> web.Response:
        return answer(await asyncio.to_thread(lambda: self.document))

    @needs(None)
    async def _docs(self, request: web.Request) -> web.Response:
        return _html(await asyncio.to_thread(lambda: self.page))

    @needs(None)
    async def _style(self, request: web.Request) -> web.Response:
        headers = {"Cache-Control": "max-age=3600"}
        return web.Response(text=self.style, content_type="text/css", headers=headers)

    @needs(None)
    async def _problems(self, request: web.Request) -> web.Response:
        """All sorts of problems: for browsers a page, for others a list."""
        if not _for_browsers(request):
            return answer({"data": [_sort(slug) for slug in SORTS]})
        info = {"title": "Problems", "version": "", "description": ""}
        template = self.templates.get_template("docs.html")
        return _html(template.render(info=info, groups={}, guides={}, problems=SORTS, only=None))

    @needs(None)
    async def _problem(self, request: web.Request) -> web.Response:
        slug = request.match_info["slug"]
        if slug not in SORTS:
            near = get_close_matches(slug, SORTS, 1)
            hint = f"did you mean {near[0]}?" if near else "see /problems"
            raise not_found(f"there is no problem {slug[:100]!r}", hint)
        if not _for_browsers(request):
            return answer(_sort(slug))
        info = {"title": SORTS[slug].title, "version": "", "description": ""}
        template = self.templates.get_template("docs.html")
        page = template.render(
            info=info, groups={}, guides={}, problems={slug: SORTS[slug]}, only=slug
        )
        return _html(page)

    @needs(None)
    async def _overview(self, request: web.Request) -> web.Response:
        return web.Response(text=overview(address), content_type="text/plain")

    @needs(None, seconds=SECONDS_MAX + 5)
    async def _search(self, request: web.Request) -> web.Response:
        """A form's answer: a page for browsers, a line each for others."""
        query = " ".join(request.query.get("q", "")[:QUERY_CHARS_MAX].split())
        if query and not self.whole:
            await self._gather()
        found = await asyncio.to_thread(find, self.index, query)
        if not _for_browsers(request):
            lines = [f"{one.address}  {_named(one)}\n  {''.join(one.snippet)}\n" for one in found]
            return web.Response(text="\n".join(lines), content_type="text/plain")
        template = self.templates.get_template("search.html")
        return _html(template.render(query=query, found=found, whole=self.whole, named=_named))

    async def _gather(self) -> None:
        """Makes the index; what there is of it without the reference, which is tried again the next time, if that cannot be made."""
        made: dict[str, str] = {}
        try:
            made = await self.reference.pages()
        except NoReference as error:
            log.warning("the reference cannot be searched", reason=str(error))
        if made or not self.index:
            self.index = await asyncio.to_thread(self.gathered, made)
            self.whole = bool(made)

    @needs(None, seconds=SECONDS_MAX + 5)
    async def _guide(self, request: web.Request) -> web.Response:
        name = request.match_info["guide"]
        told = await self._told(request, name)
        if told is None:
            raise not_found(
                f"there is no guide {name[:100]!r}", "all are at the beginning of /docs"
            )
        return told

    @needs(None)
    async def _runbook(self, request: web.Request) -> web.Response:
        """Alerts lead here."""
        name = request.match_info["alert"]
        told = await self._told(request, f"runbooks/{name}")
        if told is None:
            raise not_found(f"there is no runbook {name[:100]!r}", f"there are: {', '.join(runbooks())}")  # fmt: skip
        return told

    async def _told(self, request: web.Request, name: str) -> web.Response | None:
        """A guide as a page for browsers, else as it was written, which reads well as it is; None for what is none. Raises NoReference."""
        if name not in titles():
            return None
        made = await self.reference.pages() if is_made(name) else {}
        text = made.get(name) or await asyncio.to_thread(guide, name) or ""
        if _for_browsers(request):
            return _html(await asyncio.to_thread(self.guide_page, name, text))
        return web.Response(text=text, content_type="text/plain")


def _sort(slug: str) -> dict[str, Any]:
    """A sort of problem as programs are told it."""
    return {"type": f"/problems/{slug}", "code": slug.replace("-", "_"), **asdict(SORTS[slug])}


def _for_browsers(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


def _named(one: Found) -> str:
    return f"{one.title}: {one.heading}" if one.heading else one.title


def _coded(text: str) -> Markup:
    """What stands between backticks as code; all of it escaped."""
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 escaped


def _html(text: str) -> web.Response:
    headers = {"Content-Security-Policy": POLICY}
    return web.Response(text=text, content_type="text/html", headers=headers)


def _groups(described: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The routes by their tag, each with an example that a shell runs."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            takes = _body(one, described)
            curl = _curl(method.upper(), path, one, takes)
            shown = {"method": method.upper(), "path": path, "curl": curl, "takes": takes, **one}
            groups.setdefault(one["tags"][0], []).append(shown)
    return groups


def _curl(method: str, path: str, one: dict[str, Any], takes: list[tuple[str, str, str]]) -> str:
    sends = "requestBody" in one
    parts = ["curl"] + (
        [f"-X {method}"] if method != "GET" and not (sends and method == "POST") else []
    )
    if sends:
        needed = {name: "..." for name, _, _ in takes if not name.endswith("?")}
        parts += [f"-H 'Content-Type: application/json' -d '{json.dumps(needed)}'"]
    if "x-scope" in one:
        parts += ['-H "Authorization: Bearer $TOKEN"']
    return " ".join([*parts, f"http://127.0.0.1:7700{path}"])


def _body(one: dict[str, Any], described: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The fields of a body: name, type, what it says."""
    content = one.get("requestBody", {}).get("content", {})
    if not content:
        return []
    schema = next(iter(content.values()))["schema"]
    schema = next((way for way in schema.get("anyOf", ()) if "$ref" in way), schema)
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    needed = schema.get("required", [])
    return [
        (name + ("" if name in needed else "?"), _type(field), field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]


def _type(field: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(way) for way in field["anyOf"]))
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "const" in field:
        return json.dumps(field["const"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    bounds = [
        f"{word} {field[name]:g}"
        for name, word in (("minimum", "from"), ("maximum", "to"), ("exclusiveMinimum", "above"))
        if name in field
    ]
    sort = (
        field["$ref"].rpartition("/")[2]
        if "$ref" in field
        else field.get("format") or field.get("type", "any")
    )
    return " ".join([str(sort), *bounds])
