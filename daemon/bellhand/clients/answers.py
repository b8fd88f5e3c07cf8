"""Reading what services answer: JSON that may be anything, and statuses that mean the same with all of them."""

from __future__ import annotations

import json
import math
from typing import Any

from .errors import ServiceError
from .wire import Answer

TEXT_CHARS_MAX = 2_000


def body_of(service: str, answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer; of an error's answer, which may be any text, what there is of it."""
    try:
        body = json.loads(answer.body)
        if isinstance(body, dict):
            return body
    except (ValueError, RecursionError):
        pass
    if answer.status != 200:
        return {}
    raise ServiceError(
        "bad_answer", "the answer is not the JSON that was asked for", f"{len(answer.body)} bytes of something else",
        service=service, retryable=True, sick=True,
    )  # fmt: skip


def refused(
    service: str, answer: Answer, message: str, *, key_refused: bool = False, quota: bool = False
) -> ServiceError:
    """What an answer with another status than 200 means; the two flags are what its text says."""
    status, asked = answer.status, answer.wait_seconds()
    why = f"{message} (HTTP {status})" if message else f"HTTP {status}"
    if key_refused or status in (401, 403):
        return ServiceError("key_refused", "the key is refused", why, service=service, pause=True)
    if quota or status == 402:
        return ServiceError(
            "quota", "its quota is spent", why, service=service, wait_seconds=asked, pause=True
        )
    if status == 429:
        return ServiceError(
            "rate_limited", "it asks for fewer calls", why, service=service, retryable=True, wait_seconds=asked,
        )  # fmt: skip
    if status in (408, 409, 425) or status >= 500:
        return ServiceError(
            "unavailable", "the service has a fault", why, service=service, retryable=True, sick=True, wait_seconds=asked,
        )  # fmt: skip
    if 300 <= status < 400:
        return ServiceError(
            "bad_answer", "it sends us elsewhere; correct its base_url", why, service=service
        )
    return ServiceError("bad_request", "it refuses the question", why, service=service)


def text(value: Any) -> str | None:
    """A text with something in it, cut to a sane length; None for anything else."""
    if not isinstance(value, str):
        return None
    return " ".join(value.replace("\x00", " ").split())[:TEXT_CHARS_MAX] or None


def number(value: Any) -> float | None:
    """A finite number; texts such as "1,234" and "(56)" are read too; None for anything else."""
    if isinstance(value, str):
        value = value.strip("()").replace(",", "")
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
