"""Mails as text and HTML; pure. What people write has blanks for names, and no more of a template language than that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

CHARS_MAX = 100_000
# What texts of users may hold. Loops, calls and sums are left out: a text of a line could keep the daemon busy for hours.
ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr, nodes.Filter, nodes.If,
    nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand,
)  # fmt: skip
FILTERS = ("capitalize", "default", "lower", "title", "trim", "upper")
Values = Mapping[str, Mapping[str, str]]


class TextError(ValueError):
    """A text that cannot be filled in; says why, and what could stand there."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a mail leads, and what its button says."""

    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Footer:
    """Who writes, and how to hear no more of it."""

    postal_address: str = ""
    unsubscribe_url: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A mail in both of its forms."""

    subject: str
    text: str
    html: str


def fill(text: str, values: Values) -> str:
    """The text with `{{ customer.name }}` and the like filled in; raises TextError.

    It may hold names out of `values`, `{% if %}`, comparisons and the filters of FILTERS.
    """
    try:
        parsed = _people().parse(text)
        _look(parsed, values)
        filled = _people().from_string(parsed).render(values)
    except (jinja2.TemplateError, RecursionError, SyntaxError) as error:
        raise TextError(f"{error or type(error).__name__}") from error
    if len(filled) > CHARS_MAX:
        raise TextError(f"{len(filled)} characters when filled in; {CHARS_MAX} are the most")
    return filled


def write(
    template: str,
    subject: str,
    values: Mapping[str, str | Mapping[str, str]],
    link: Link | None,
    footer: Footer,
) -> Text:
    """The mail: `template` (letter or review_request) makes its paragraphs, both parts have the same words."""
    words = _ours(False).get_template(f"{template}.txt").render(values).replace("\r\n", "\n")
    paragraphs = [p.strip("\n") for p in words.split("\n\n") if p.strip()]
    shown = {
        "subject": subject,
        "paragraphs": paragraphs,
        "url": link.url if link else None,
        "label": link.label if link else "",
        "postal_address": footer.postal_address,
        "unsubscribe_url": footer.unsubscribe_url,
    }
    plain = _ours(False).get_template("mail.txt").render(shown).strip() + "\n"
    return Text(subject, plain, _ours(True).get_template("mail.html").render(shown))


def _look(parsed: nodes.Template, values: Values) -> None:
    for node in parsed.find_all(nodes.Node):
        if not isinstance(node, ALLOWED):
            raise TextError(
                f"line {node.lineno}: {type(node).__name__.lower()} cannot stand in a text"
            )
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise TextError(f"line {node.lineno}: there is no filter {node.name}, only {FILTERS}")
        if isinstance(node, nodes.Name) and node.name not in values:
            raise TextError(f"line {node.lineno}: {node.name} is not known, only {sorted(values)}")
        if isinstance(node, nodes.Getattr):
            whole = node.node.name if isinstance(node.node, nodes.Name) else ""
            known = values.get(whole, {})
            if node.attr not in known:
                names = [f"{name}.{attr}" for name, of in values.items() for attr in of]
                raise TextError(f"line {node.lineno}: {whole}.{node.attr} is not known: {names}")


@cache
def _people() -> jinja2.Environment:
    """For texts that users wrote; what comes out is plain text and is escaped where it becomes HTML."""
    return ImmutableSandboxedEnvironment(autoescape=False, undefined=jinja2.StrictUndefined)


@cache
def _ours(html: bool) -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
    return ImmutableSandboxedEnvironment(
        loader=loader, autoescape=html, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
