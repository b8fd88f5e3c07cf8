"""What people read: an event or a digest in a few lines, written for mail, Slack and Discord. Nothing in them can call anybody."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LINE_CHARS_MAX = 300
NAME_CHARS_MAX = 100
DIGEST_LINES_MAX = 12
SLACK_CHARS_MAX = 3000
DISCORD_CHARS_MAX = 2000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What turns text around, or cannot be seen: names and errors must not look like others.
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_MARKDOWN = re.compile(r"([\\`*_~|>#\[\]()<-])")
_VERBS = {
    "completed": "is completed", "partial": "is completed in part", "failed": "has failed",
    "cancelled": "was cancelled", "late": "is late", "disabled": "was disabled", "test": "works",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """A title, lines below it, and where to look: a link or None."""

    title: str
    lines: tuple[str, ...]
    link: str | None = None


def of_event(event: Mapping[str, Any], link: str) -> Text:
    """An event of job_event.sql, or of a channel that was disabled; `link` has {id} or {key} in it, or is empty."""
    data = event.get("data") or {}
    verb = _VERBS.get(str(event.get("type")).partition(".")[2], "changed")
    if "channel" in data:
        title = f"channel {line(data['channel'], NAME_CHARS_MAX)} {verb}"
        return Text(title, tuple(line(data["error"]) for _ in range(1) if data.get("error")))
    lines = []
    if data.get("error"):
        lines.append(last_line(data["error"]))
    about = [f"job {data.get('id')}"]
    if data.get("owner"):
        about.append(f"of {line(data['owner'], NAME_CHARS_MAX)}")
    if data.get("failed_attempts"):
        about.append(f"failed attempts: {data['failed_attempts']}")
    about.append(f"at {line(event.get('timestamp'), NAME_CHARS_MAX)}")
    lines.append(", ".join(about))
    shown = link.replace("{id}", str(data.get("id"))).replace("{key}", str(data.get("key")))
    return Text(f"{line(data.get('kind'), NAME_CHARS_MAX)} {verb}", tuple(lines), shown or None)


def of_digest(rows: Sequence[Any]) -> Text:
    """What gathered, most frequent first, from rows of notify_digest.sql."""
    total = sum(row["jobs"] for row in rows)
    states: dict[str, int] = {}
    for row in rows:
        states[row["state"]] = states.get(row["state"], 0) + row["jobs"]
    counts = ", ".join(f"{count:,} {state}" for state, count in states.items())
    since = min(row["first_at"] for row in rows)
    lines = []
    for row in rows[:DIGEST_LINES_MAX]:
        text = f"{row['jobs']:,} x {line(row['kind'] or 'a channel', NAME_CHARS_MAX)} {_VERBS.get(row['state'], 'changed')}"
        newest = [str(job) for job in row["newest"] if job is not None]
        if newest:
            text += f", the newest: {', '.join(newest)}"
        if row["error"]:
            text += f": {last_line(row['error'])}"
        lines.append(text)
    if len(rows) > DIGEST_LINES_MAX:
        rest = rows[DIGEST_LINES_MAX:]
        lines.append(f"and {sum(row['jobs'] for row in rest):,} of {len(rest)} other sorts")
    lines.append(f"since {since:%Y-%m-%d %H:%M:%S %Z}; one message instead of {total:,}")
    return Text(counts, tuple(lines))


def mail_parts(text: Text) -> tuple[str, str, str]:
    """Subject, plain text, HTML."""
    plain = "\n".join((text.title, "", *text.lines, *([text.link] if text.link else []))) + "\n"
    rows = "".join(f"<p>{html.escape(one)}</p>" for one in text.lines)
    if text.link:
        rows += f'<p><a href="{html.escape(text.link)}">{html.escape(text.link)}</a></p>'
    whole = f"<!doctype html><html><body><h3>{html.escape(text.title)}</h3>{rows}</body></html>"
    return f"[bellhand] {text.title}", plain, whole


def slack(text: Text) -> dict[str, Any]:
    """An incoming webhook's body. Slack reads <...> as a command; escaped it is text."""
    parts = [f"*{_for_slack(text.title).replace('*', '')}*", *map(_for_slack, text.lines)]
    link = f"\n<{_for_slack(text.link)}|Show the job>" if text.link else ""
    return {"text": _cut("\n".join(parts), SLACK_CHARS_MAX - len(link)) + link}


def discord(text: Text) -> dict[str, Any]:
    """A webhook's body; allowed_mentions says that nobody is called, whatever stands in it."""
    parts = [f"**{_for_discord(text.title)}**", *map(_for_discord, text.lines)]
    link = f"\n<{text.link}>" if text.link else ""
    content = _cut("\n".join(parts), DISCORD_CHARS_MAX - len(link)) + link
    return {"content": content, "allowed_mentions": {"parse": []}}


def line(value: object, chars_max: int = LINE_CHARS_MAX) -> str:
    """Any value as one line without control characters, cut at its end."""
    return _cut(_INVISIBLE.sub("", _CONTROL.sub(" ", str(value))).strip(), chars_max)


def last_line(error: str) -> str:
    """The last line of a traceback says what went wrong."""
    found = [one for one in error.splitlines() if one.strip()]
    return line(found[-1] if found else error)


def _for_slack(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@\u200b")


def _for_discord(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text).replace("@", "@\u200b")


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 1].rstrip() + "\u2026"
