"""Speed, mobile, encryption and headers: how a page is delivered."""

import re

from ..facts import Facts
from ..views import Evidence, Page
from .rule import Rule

RESPONSE_SECONDS_MAX = 1.5
HTML_BYTES_MAX = 500_000
PACKED_BYTES_MIN = 10_000
INLINE_CHARS_MAX = 100_000
TAGS_MAX = 3000
SCRIPTS_MAX = 25
STYLES_MAX = 8
HSTS_SECONDS_MIN = 15_768_000  # half a year
_MAX_AGE = re.compile(r"max-age\s*=\s*\"?(\d{1,12})")
_NO_ZOOM = re.compile(
    r"user-scalable\s*=\s*(?:no|0)\b|maximum-scale\s*=\s*1(?:\.0+)?\s*(?:,|$)", re.I
)


def slow(page: Page) -> Evidence | None:
    late = page.html and page.response_seconds > RESPONSE_SECONDS_MAX
    return {"seconds": round(page.response_seconds, 2)} if late else None


def large(page: Page) -> Evidence | None:
    return {"bytes": page.body_bytes} if page.html and page.body_bytes > HTML_BYTES_MAX else None


def cut(page: Page) -> Evidence | None:
    return {"bytes": page.body_bytes} if page.html and page.truncated else None


def unpacked(page: Page) -> Evidence | None:
    found = page.html
    if not found or page.body_bytes < PACKED_BYTES_MIN or found.header("content-encoding"):
        return None
    return {"bytes": page.body_bytes}


def uncached(page: Page) -> Evidence | None:
    found = page.html
    if not found or any(
        found.header(one) for one in ("cache-control", "expires", "etag", "last-modified")
    ):
        return None
    return {}


def blocking(page: Page) -> Evidence | None:
    found = page.html
    return {"scripts": list(found.scripts_blocking)} if found and found.scripts_blocking else None


def many_files(page: Page) -> Evidence | None:
    found = page.html
    if not found or (found.scripts <= SCRIPTS_MAX and found.styles <= STYLES_MAX):
        return None
    return {"scripts": found.scripts, "stylesheets": found.styles}


def inline(page: Page) -> Evidence | None:
    found = page.html
    chars = found.scripts_inline_chars + found.styles_inline_chars if found else 0
    return {"characters": chars} if chars > INLINE_CHARS_MAX else None


def many_tags(page: Page) -> Evidence | None:
    found = page.html
    return {"elements": found.tags} if found and found.tags > TAGS_MAX else None


def viewport_missing(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and found.viewport is None else None


def viewport_fixed(page: Page) -> Evidence | None:
    found = page.html
    viewport = found.viewport if found and found.viewport else ""
    fixed = viewport and (
        "width=device-width" not in viewport.replace(" ", "") or _NO_ZOOM.search(viewport)
    )
    return {"viewport": viewport} if fixed else None


def doctype(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and not found.doctype else None


def charset(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and not found.charset else None


def charset_late(page: Page) -> Evidence | None:
    found = page.html
    late = found and found.charset_late and "charset" not in found.header("content-type").lower()
    return {} if late else None


def icon(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and not found.icon else None


def frame_title(page: Page) -> Evidence | None:
    found = page.html
    return {"frames": found.iframes_untitled} if found and found.iframes_untitled else None


def insecure(page: Page) -> Evidence | None:
    return {} if page.html and page.url.startswith("http:") else None


def mixed(page: Page) -> Evidence | None:
    found = page.html
    return {"loaded": list(found.mixed)} if found and found.mixed else None


def form_insecure(page: Page) -> Evidence | None:
    found = page.html
    return {"forms": list(found.forms_insecure)} if found and found.forms_insecure else None


def password_insecure(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and found.passwords and page.url.startswith("http:") else None


def hsts(page: Page) -> Evidence | None:
    found = page.html
    if not found or not page.url.startswith("https:"):
        return None
    return None if found.header("strict-transport-security") else {}


def hsts_short(page: Page) -> Evidence | None:
    found = page.html
    age = _MAX_AGE.search(found.header("strict-transport-security").lower()) if found else None
    short = age is not None and int(age.group(1)) < HSTS_SECONDS_MIN
    return {"seconds": int(age.group(1))} if age and short else None


def csp(page: Page) -> Evidence | None:
    found = page.html
    return (
        {}
        if found and not found.csp_in_meta and not found.header("content-security-policy")
        else None
    )


def sniffing(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and found.header("x-content-type-options").lower() != "nosniff" else None


def framing(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and not _guards_framing(found) else None


def referrer(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and not found.header("referrer-policy") else None


def _guards_framing(found: Facts) -> bool:
    policy = found.header("content-security-policy").lower()
    return "frame-ancestors" in policy or bool(found.header("x-frame-options"))


RULES = (
    Rule(
        "slow", "speed", "warning", "Page answers slowly",
        f"More than {RESPONSE_SECONDS_MAX:g} s before the page is there loses visitors and crawls.",
        "Cache the page, look for slow queries, move closer to the readers.", slow,
    ),
    Rule(
        "large", "speed", "warning", "Page is very large",
        f"More than {HTML_BYTES_MAX // 1000} kB of HTML take seconds on a phone.",
        "Split long lists, move scripts and data into files.", large,
    ),
    Rule(
        "cut", "speed", "warning", "Page was not read to its end",
        "It is larger than the crawl reads, or broke off; search engines stop reading too.",
        "Make it smaller, or see why the connection ends.", cut,
    ),
    Rule(
        "unpacked", "speed", "warning", "Text is sent uncompressed",
        "Compressed it would be a quarter of the size.",
        "Switch on gzip, Brotli or Zstandard on the server.", unpacked, whole_site=True,
    ),
    Rule(
        "uncached", "speed", "notice", "Nothing said about caching",
        "Browsers guess how long a page is good, or fetch it anew each time.",
        "Send Cache-Control, and ETag or Last-Modified.", uncached, whole_site=True,
    ),
    Rule(
        "blocking", "speed", "notice", "Scripts hold up the page",
        "A script in the head without defer or async is fetched and run before anything shows.",
        "Add defer, or move it to the end.", blocking,
    ),
    Rule(
        "many-files", "speed", "notice", "Very many scripts or stylesheets",
        "Each file is a request and a chance to fail.",
        "Bundle them, and remove what is not used.", many_files,
    ),
    Rule(
        "inline", "speed", "notice", "Much script or style inside the page",
        f"More than {INLINE_CHARS_MAX // 1000} kB are sent again with every page.",
        "Move them into files that can be cached.", inline,
    ),
    Rule(
        "many-tags", "speed", "notice", "Very many elements",
        f"More than {TAGS_MAX} elements make every change of the page slow.",
        "Show long lists in parts; drop needless wrappers.", many_tags,
    ),
    Rule(
        "viewport-missing", "mobile", "warning", "Not made for phones",
        "Without a viewport phones show the page as a tiny desktop.",
        'Add <meta name="viewport" content="width=device-width, initial-scale=1">.', viewport_missing,
    ),
    Rule(
        "viewport-fixed", "mobile", "notice", "Viewport is fixed or forbids zooming",
        "Fixed widths do not fit, and who sees badly must be able to zoom.",
        "Use width=device-width and leave out user-scalable and maximum-scale.", viewport_fixed,
    ),
    Rule(
        "doctype", "mobile", "notice", "No doctype",
        "Browsers fall back to the quirks of 1998.",
        "Begin with <!doctype html>.", doctype,
    ),
    Rule(
        "charset", "mobile", "warning", "Encoding not said",
        "Letters beyond ASCII may come out wrong.",
        'Add <meta charset="utf-8"> at the top of the head.', charset,
    ),
    Rule(
        "charset-late", "mobile", "notice", "Encoding said too late",
        "Browsers look for it in the first 1024 bytes only.",
        "Make it the first element of the head.", charset_late,
    ),
    Rule(
        "icon", "mobile", "notice", "No icon",
        "Tabs, bookmarks and results show a grey globe.",
        'Add <link rel="icon">.', icon, whole_site=True,
    ),
    Rule(
        "frame-title", "mobile", "notice", "Frames without a title",
        "A screen reader announces them as frame, nothing more.",
        "Give each iframe a title.", frame_title,
    ),
    Rule(
        "insecure", "security", "error", "Not encrypted",
        "Browsers warn of it, engines rank it lower, anybody on the way can change it.",
        "Get a certificate and redirect http to https.", insecure, whole_site=True,
    ),
    Rule(
        "mixed", "security", "error", "Encrypted page loads unencrypted parts",
        "Browsers block scripts and styles of this sort, and warn of images.",
        "Load them by https.", mixed,
    ),
    Rule(
        "form-insecure", "security", "error", "Form is sent unencrypted",
        "What visitors enter can be read on the way.",
        "Let the form's action begin with https.", form_insecure,
    ),
    Rule(
        "password-insecure", "security", "error", "Password on an unencrypted page",
        "The password can be read and the form replaced on the way.",
        "Serve the page by https only.", password_insecure,
    ),
    Rule(
        "hsts", "security", "warning", "No Strict-Transport-Security",
        "The first visit by http can be caught and kept there.",
        "Send Strict-Transport-Security: max-age=31536000; includeSubDomains.", hsts, whole_site=True,
    ),
    Rule(
        "hsts-short", "security", "notice", "Strict-Transport-Security ends soon",
        "Less than half a year protects only who comes often.",
        "Raise max-age to 31536000.", hsts_short, whole_site=True,
    ),
    Rule(
        "csp", "security", "notice", "No Content-Security-Policy",
        "Without one any script that gets into a page runs.",
        "Begin with default-src 'self' in report-only mode.", csp, whole_site=True,
    ),
    Rule(
        "sniffing", "security", "notice", "Browsers may guess content types",
        "An uploaded text can be run as a script.",
        "Send X-Content-Type-Options: nosniff.", sniffing, whole_site=True,
    ),
    Rule(
        "framing", "security", "notice", "Any site may frame the pages",
        "Visitors can be made to click what they do not see.",
        "Send Content-Security-Policy: frame-ancestors 'self'.", framing, whole_site=True,
    ),
    Rule(
        "referrer", "security", "notice", "No Referrer-Policy",
        "Full addresses, with what is in them, are told to other sites by older browsers.",
        "Send Referrer-Policy: strict-origin-when-cross-origin.", referrer, whole_site=True,
    ),
)  # fmt: skip
