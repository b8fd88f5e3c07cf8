"""The ETag of a job: it changes with everything that the job itself says, not with what goes on around it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

# They change by the second without anything having happened to the job.
AROUND = ("position", "eta", "heartbeat_at", "allowed_actions", "links", "warnings", "deduplicated")


def etag(job: dict[str, Any]) -> str:
    """Of a job resource; quoted, as headers have it."""
    own = {name: value for name, value in job.items() if name not in AROUND}
    text = json.dumps(own, sort_keys=True, default=str, ensure_ascii=False)
    return f'"{hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]}"'


def matches(header: str, tag: str) -> bool:
    """Whether If-Match or If-None-Match names the tag; weak ones count, since ours say the same of the same."""
    named = [one.strip().removeprefix("W/") for one in header.split(",")]
    return "*" in named or tag in named or tag.strip('"') in named
