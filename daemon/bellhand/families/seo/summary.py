"""A summary in words by a language model, which may speak of nothing but what the rules found."""

import asyncio
import json
from collections.abc import Collection, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model

from bellhand.clients.errors import ServiceError
from bellhand.clients.prices import Budget
from bellhand.job import Job
from bellhand.outcomes import Snooze

from .compare import Change
from .rules import BY_NAME
from .score import Score

SECONDS_MAX = 90.0
TOKENS_MAX = 1200
FINDINGS_MAX = 40
PARTS_MAX = 6
TEXT_CHARS_MAX = 800

# No word of the site's pages is in the question, so no page can talk to the model.
_SYSTEM = (
    "You explain the findings of a website check to the site's owner, who is no expert. Write three to five short paragraphs, "
    "the most useful repair first: what is wrong, what it does to visitors and search results, what to do. Speak only of the "
    "findings you are given, and name in `issues` the ids of those that each paragraph is about. Invent no number and no page."
)


class Paragraph(BaseModel):
    """A paragraph and the ids of the issues it is about."""

    text: str
    issues: list[str]


class Answer(BaseModel):
    """What the model is asked for."""

    paragraphs: list[Paragraph]


async def summarize(
    job: Job, found: Sequence[Change], scored: Score, *, dollars_max: float
) -> dict[str, Any]:
    """{overview: [{text, issues}]}, or {note} with the reason why there is none; never fails the analysis."""
    open_issues = [change for change in found if change.issues and change.rule in BY_NAME]
    if not open_issues:
        return {"note": "No summary: no rule is broken."}
    gains = {gain.rule: gain.points for gain in scored.gains}
    open_issues.sort(key=lambda change: (-gains.get(change.rule, 0.0), -change.issues, change.rule))
    told = open_issues[:FINDINGS_MAX]
    names = [change.rule for change in told]
    try:
        async with asyncio.timeout(SECONDS_MAX):
            answer = await job.services.llm.parse(
                _answer_about(names), system=_SYSTEM, user=_question(told, gains, scored),
                max_tokens=TOKENS_MAX, budget=Budget(dollars_max),
            )  # fmt: skip
    except (ServiceError, Snooze, TimeoutError) as error:
        # The analysis is worth more than its summary: it does not wait for a key, a budget or a service.
        reason = str(error) or f"the model took more than {SECONDS_MAX:g} s"
        job.log.warning("summary_left_out", reason=reason[:500])
        return {"note": f"No summary: {reason[:500]}"}
    return checked(answer, names)


def checked(answer: Answer, found: Collection[str]) -> dict[str, Any]:
    """The paragraphs that cite issues, all of them found; one that cites an invented issue is left out whole."""
    kept = [
        {"text": part.text.strip()[:TEXT_CHARS_MAX], "issues": list(dict.fromkeys(part.issues))}
        for part in answer.paragraphs
        if part.text.strip() and part.issues and set(part.issues) <= set(found)
    ][:PARTS_MAX]
    if not kept:
        return {"note": "No summary: the model did not keep to what was found."}
    return {"overview": kept, "left_out": len(answer.paragraphs) - len(kept)}


def _answer_about(names: Sequence[str]) -> type[Answer]:
    """The type of the answer with the ids in its schema: a model that keeps to schemas can cite no other."""
    issue = Annotated[str, Field(json_schema_extra={"enum": list(names)})]
    paragraph = create_model("Paragraph", __base__=Paragraph, issues=(list[issue], ...))
    return create_model("Answer", __base__=Answer, paragraphs=(list[paragraph], ...))  # type: ignore[valid-type]


def _question(told: Sequence[Change], gains: dict[str, float], scored: Score) -> str:
    lines = [json.dumps({"score_of_100": scored.value})]
    for change in told:
        rule = BY_NAME[change.rule]
        line = {
            "id": rule.name, "severity": rule.severity, "finding": rule.title, "meaning": rule.why, "repair": rule.fix,
            "issues": change.issues, "new": change.new, "fixed": change.fixed, "points": gains.get(rule.name, 0.0),
        }  # fmt: skip
        lines.append(json.dumps({name: value for name, value in line.items() if value is not None}))
    return "\n".join(lines)
