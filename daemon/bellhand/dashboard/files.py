"""A job as a file of JSON, with numbers as they were written and without what its page hides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import hdrs, web

from bellhand.dashboard.job import JobPage
from bellhand.dashboard.tree import HIDDEN, Exact, loads
from bellhand.logs import SECRET_NAME, without_secrets
from bellhand.resource import resource

PARTS: dict[str, Callable[[Any], Any]] = {
    "job": lambda row: resource(row) | {"payload": loads(row["payload"]), "result": loads(row["result"])},
    "payload": lambda row: loads(row["payload"]),
    "result": lambda row: loads(row["result"]),
}  # fmt: skip


class Files:
    """GET /jobs/{job}/job.json, payload.json and result.json."""

    def __init__(self, job: JobPage) -> None:
        self.job = job

    async def show(self, request: web.Request) -> web.Response:
        """The job, or a part of it, to be kept or copied."""
        row, part = await self.job.row(request), request.match_info["part"]
        name = f"job-{row['id']}{'' if part == 'job' else f'-{part}'}.json"
        headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"', hdrs.CACHE_CONTROL: "no-store"}  # fmt: skip
        text = await asyncio.to_thread(written, PARTS[part](row), ours=part == "job")  # fmt: skip  # it may be of a megabyte
        return web.Response(text=f"{text}\n", content_type="application/json", headers=headers)  # fmt: skip


def written(value: Any, indent: str = "", *, ours: bool = False) -> str:
    """A value as JSON, two blanks a level; what is secret by its name or its look is hidden, an Exact stays as it was written.

    `ours`: the names of its fields are those of the job resource, whose `key` is no secret.
    """
    inner = indent + "  "
    if isinstance(value, Exact):
        return str(value)
    if isinstance(value, str):
        return json.dumps(without_secrets(value), ensure_ascii=False)
    if isinstance(value, dict) and value:
        hides = {
            name for name, one in value.items() if one is not None and SECRET_NAME.search(name)
        }
        shown = {name: HIDDEN if name in hides and not ours else one for name, one in value.items()}
        fields = [f"{json.dumps(name, ensure_ascii=False)}: {written(one, inner)}" for name, one in shown.items()]  # fmt: skip
        return f"{{\n{inner}" + f",\n{inner}".join(fields) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return f"[\n{inner}" + f",\n{inner}".join(written(one, inner) for one in value) + f"\n{indent}]"  # fmt: skip
    return json.dumps(value)
