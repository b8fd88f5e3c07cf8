"""Links from a job to where else it is known: addresses with the job's own values in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

PLACE = re.compile(r"\{([^{}]*)\}")
KNOWN = re.compile(r"id|key|kind|owner|(tag|payload)(\.[^.{}]+)+")
# Where it leads is the operator's word, never a job's.
ADDRESS = re.compile(r"(https?://[^/{}\s]+/|/(?!/))\S*")
VALUE_CHARS_MAX = 500


def problem_of(template: str) -> str | None:
    """What is wrong with an address such as https://crm.example.com/customers/{owner}, in one sentence."""
    if not ADDRESS.fullmatch(template):
        return f"{template!r} is no address; write it as https://crm.example.com/customers/{{owner}}, with no value of a job before its path"
    for name in PLACE.findall(template):
        if not KNOWN.fullmatch(name):
            return f"{{{name}}} is nothing that a job has; there are {{id}}, {{key}}, {{kind}}, {{owner}}, {{tag.NAME}} and {{payload.NAME}}"
    return None


def links_of(
    templates: Mapping[str, str], job: Mapping[str, Any], payload: Any
) -> list[tuple[str, str]]:
    """The words and addresses for a job; one that wants a value which the job has not is left out."""
    whole = {"payload": payload, "tag": job["tags"]}
    found = []
    for word, template in templates.items():
        values = {name: _value(name, job, whole) for name in PLACE.findall(template)}
        if None not in values.values():
            for name, value in values.items():
                template = template.replace(f"{{{name}}}", quote(value or "", safe=""))
            found.append((word, template))
    return found


def _value(name: str, job: Mapping[str, Any], whole: Mapping[str, Any]) -> str | None:
    first, *path = name.split(".")
    value: Any = whole[first] if path else job[first]
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        return None
    return str(value)[:VALUE_CHARS_MAX]
