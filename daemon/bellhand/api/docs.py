"""The documents of the API itself: /openapi.json, /docs, /problems/{slug}, /runbooks/{alert}. They load nothing from elsewhere."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bellhand.api.openapi import document
from bellhand.api.operations import Operation, answer
from bellhand.callers import needs
from bellhand.problem_sorts import SORTS
from bellhand.problems import not_found
from bellhand.runbooks import runbook, runbooks

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

HERE = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


class Docs:
    """Pages for people, each made when it is first asked for."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations

    @cached_property
    def document(self) -> dict[str, Any]:
        return document(self.operations)

    @cached_property
    def template(self) -> jinja2.Template:
        import jinja2

        text = (HERE / "docs.html").read_text(encoding="utf-8")
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
        environment.filters["coded"] = _coded
        return environment.from_string(text)

    @cached_property
    def page(self) -> str:
        info, groups = self.document["info"], _groups(self.document)
        return self.template.render(info=info, groups=groups, problems=SORTS, only=None)

    @cached_property
    def style(self) -> str:
        return (HERE / "docs.css").read_text(encoding="utf-8")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/openapi.json", self._openapi),
            web.get("/docs", self._docs),
            web.get("/docs.css", self._style),
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
    async def _problem(self, request: web.Request) -> web.Response:
        slug = request.match_info["slug"]
        if slug not in SORTS:
            raise not_found(f"there is no problem {slug[:100]!r}", "all are at the end of /docs")
        sort = SORTS[slug]
        if "text/html" not in request.headers.get("Accept", ""):
            text = {
                "title": sort.title,
                "status": sort.status,
                "text": sort.text,
                "hint": sort.hint,
            }
            return answer({"type": f"/problems/{slug}", **text})
        info = {"title": sort.title, "version": "", "description": ""}
        return _html(self.template.render(info=info, groups={}, problems={slug: sort}, only=slug))

    @needs(None)
    async def _runbook(self, request: web.Request) -> web.Response:
        """As it was written, which reads well as it is: alerts lead here."""
        name = request.match_info["alert"]
        text = await asyncio.to_thread(runbook, name)
        if text is None:
            raise not_found(f"there is no runbook {name[:100]!r}", f"there are: {', '.join(runbooks())}")  # fmt: skip
        return web.Response(text=text, content_type="text/plain")


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
