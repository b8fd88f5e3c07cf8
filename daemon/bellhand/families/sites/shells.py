"""Pages that are empty until a browser has run their scripts."""

import re

from .markup import Markup

# A page that says as much as this to a reader needs no browser.
_TEXT_CHARS_MAX = 400
_HTML_CHARS_MAX = 300_000

_ROOT = re.compile(
    r"<(?:div|main|section)\s[^>]{0,200}?\bid=[\"']?(?:root|app|__next|__nuxt|___gatsby|react-root|main-app|svelte)\b"
    r"[^>]{0,200}>\s*(?:<!--[^>]{0,200}-->\s*)?</|<app-root\b[^>]{0,200}>\s*</",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"<noscript[^>]{0,100}>[^<]{0,300}(?:<[a-z][^>]{0,200}>[^<]{0,300}){0,5}"
    r"(?:javascript|java script|skripte?\b)",
    re.IGNORECASE,
)


def needs_browser(page: Markup, html: str) -> bool:
    """Whether the page shows next to nothing itself and leaves it to scripts."""
    if len(page.text) > _TEXT_CHARS_MAX or not page.scripts or page.onward:
        return False
    head = html[:_HTML_CHARS_MAX]
    if _ROOT.search(head):
        return True
    return bool(_ASKS.search(head)) and len(page.links) < 3
