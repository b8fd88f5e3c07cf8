"""What the program says: an event a line, as JSON, for a terminal or for journald, no secrets, no waiting.

Events, not sentences: `log.info("job_settled", outcome="retry")`. Lines go to a thread over a
bounded buffer; when nobody reads the pipe they are dropped and counted, and the jobs go on.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import re
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from . import journal

# The job whose handler runs here, if any: something with id, kind and attempt. Read only when a
# line is really logged, so that a job that says nothing pays nothing.
current: ContextVar[Any | None] = ContextVar("current_job", default=None)
# The name of the step that runs here, if any.
current_step: ContextVar[str | None] = ContextVar("current_step", default=None)

BUFFER_BYTES_MAX = 4_000_000
TEXT_CHARS_MAX = 10_000
EDGE_CHARS = 2_000  # read beyond a cut, where half a secret would not look like one
DEPTH_MAX = 8
CLOSE_SECONDS = 2.0
WRITABLE_SECONDS = 1.0
HIDDEN = "***"
LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)

SECRET_NAME = re.compile(
    r"token|secret|passw|authorization|cookie|credential|(^|[_.-])key$|[a-z]Key$|^apikey$",
    re.I,
)
# In quotes, which JSON inside of JSON escapes once more, or up to the next space or mark.
_QUOTED = r"""\\*"[^"]*"?|\\*'[^']*'?"""
_IS = r"""\\*["']?\s*[=:]\s*"""
_SECRET_TEXT = [
    # Between "://" and "@": greedy, because a password may hold an @ of its own.
    (re.compile(r"\b(postgres(?:ql)?://)[^\s'\"]*@", re.I), rf"\1{HIDDEN}@"),
    (re.compile(r"(\w://)[^\s/?#'\"]*@"), rf"\1{HIDDEN}@"),
    (
        re.compile(
            rf"\b(\w*?(?:password|passwd|passphrase|secret|token|api[_-]?key){_IS})"
            rf"(?:{_QUOTED}|[^\s&,;'\"]+)",
            re.I,
        ),
        rf"\1{HIDDEN}",
    ),
    # Of a header's line nothing is left; it may hold several.
    (
        re.compile(
            rf"\b((?:proxy-)?authorization{_IS}|(?:set-)?cookie{_IS})(?:{_QUOTED}|[^\r\n}}]+)", re.I
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.I), rf"\1 {HIDDEN}"),
]
# Escapes that move the cursor and marks that turn the direction of writing could fake a line.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROL_IN_BLOCK = re.compile(_CONTROL.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def setup(
    format: Literal["auto", "json", "console"] = "auto",
    level: str = "info",
    stream: TextIO | None = None,
    count: Callable[[str], None] | None = None,
) -> Writer:
    """Sends structlog and the standard library's logging to `stream` (stdout).

    `count` hears the level of every line. The writer that is returned wants a close at the end.
    """
    out = sys.stdout if stream is None else stream
    terminal = out.isatty()
    console = format == "console" or (format == "auto" and terminal)
    native = format == "auto" and journal.is_ours(out.fileno())
    render = _console(terminal and not os.environ.get("NO_COLOR")) if console else _journal if native else _json  # fmt: skip
    made = JournalWriter if native else Writer
    writer = made(out.fileno(), lambda dropped: render(None, "warning", _dropped(dropped)))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_job,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            _Counter(count),
            hide_secrets,
            _Teller(),
            render,
        ],
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=False,  # a reload may change the level
    )
    logging.getLogger().handlers = [_FromStandardLibrary()]
    # A line for each request, and at debug level what was asked: neither is the log's business.
    for name in ("aiohttp.access", "httpx2", "openai", "stripe"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    set_level(level)
    return writer


def count_levels(count: Callable[[str], None]) -> None:
    """From now on `count` hears the level of every line, if logging was set up here."""
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, _Counter):
            processor.count = count


def tell_jobs(keep: Callable[[Any, EventDict], None] | None) -> None:
    """From now on `keep` is given what is logged while a handler runs, with its job, if logging was set up here.

    Secrets are hidden by then. It is called from any thread, must not wait and must not change the event.
    """
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, _Teller):
            processor.keep = keep


def set_level(level: str) -> None:
    """From now on only what is at least this serious is logged."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
    logging.getLogger().setLevel(level.upper())


class Writer:
    """Writes lines from a thread of its own; its callers never wait."""

    def __init__(self, fd: int, dropped_line: Callable[[int], bytes]) -> None:
        # Our own: were the stream closed, its number would soon be that of another file.
        self.fd = os.dup(fd)
        self.dropped = 0  # in all
        self._dropped_line = dropped_line
        self._untold = 0
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._closing = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="bellhand-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def msg(self, line: bytes) -> None:
        """Takes one line, or drops and counts it if too much waits already."""
        with self._change:
            if self._bytes + len(line) > BUFFER_BYTES_MAX or self._closing:
                self.dropped += 1
                self._untold += 1
                return
            self._lines.append(line)
            self._bytes += len(line)
            self._change.notify()

    debug = info = warning = error = critical = fatal = exception = log = failure = err = msg

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Waits until what was taken is written, at most so long."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join(seconds)
        if self.fd >= 0 and not self._thread.is_alive():  # else it may be in the middle of a line
            os.close(self.fd)
            self.fd = -1
        atexit.unregister(self.close)

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._lines and not self._closing:
                    self._change.wait()
                if not self._lines:
                    return
                lines = list(self._lines)
                self._lines.clear()
                self._bytes = 0
            try:
                self._write_all(lines)
                with self._change:
                    untold, self._untold = self._untold, 0
                if untold:
                    self._write(self._dropped_line(untold))
            except OSError:  # nobody will ever read this: the terminal or the pipe is gone
                with self._change:
                    self.dropped += len(lines)

    def _write_all(self, lines: list[bytes]) -> None:
        self._write(b"".join(lines))

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self.fd, rest) :]
            except BlockingIOError:  # somebody else made the pipe non-blocking
                select.select([], [self.fd], [], WRITABLE_SECONDS)


class JournalWriter(Writer):
    """Hands each event to journald by itself; where its socket is away, to the stream that it keeps open for us."""

    def _write(self, data: bytes) -> None:
        try:
            journal.send(data)
        except OSError:
            super()._write(data.replace(b"\n", b" ") + b"\n")

    def _write_all(self, lines: list[bytes]) -> None:
        for line in lines:
            self._write(line)


class _FromStandardLibrary(logging.Handler):
    """Hands what libraries log with `logging` to structlog, so that it looks like the rest."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            log = structlog.get_logger().bind(logger=record.name)
            level = max(known for known in LEVELS if known <= max(record.levelno, LEVELS[0]))
            log.log(level, record.getMessage(), exc_info=record.exc_info or None)
        except Exception:  # a broken log call of a library must not break what it was doing
            self.handleError(record)


def hide_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replaces what is secret by name or by look, and cuts what is too long."""
    return {name: _hidden(name, value) for name, value in event.items()}


def _hidden(name: str, value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if SECRET_NAME.search(name):
        return HIDDEN
    if depth < DEPTH_MAX:
        if isinstance(value, dict):
            return {str(k): _hidden(str(k), v, depth + 1) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_hidden("", v, depth + 1) for v in value]
    return _hidden_text(value if isinstance(value, str) else str(value))


def _hidden_text(text: str) -> str:
    if len(text) <= TEXT_CHARS_MAX:
        return without_secrets(text)
    half = TEXT_CHARS_MAX // 2
    head = without_secrets(text[: half + EDGE_CHARS])[:half]
    tail = without_secrets(text[-half - EDGE_CHARS :])[-half:]
    return f"{head} … {len(text) - 2 * half} characters left out … {tail}"


def without_secrets(text: str) -> str:
    """The text with what looks like a secret replaced."""
    # Long texts are seldom prose: without these characters only the last pattern can match, and the others take 0.13 us a character.
    marked = ":" in text or "=" in text
    for pattern, replacement in _SECRET_TEXT if marked else _SECRET_TEXT[-1:]:
        text = pattern.sub(replacement, text)
    return text


def escape(text: str, *, block: bool = False) -> str:
    r"""Control characters as \x1b; a `block` keeps its line breaks and tabs."""
    return (_CONTROL_IN_BLOCK if block else _CONTROL).sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def _add_job(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    job = current.get()
    if job is not None:
        event.setdefault("job", job.id)
        event.setdefault("kind", job.kind)
        event.setdefault("lane", job.lane)
        event.setdefault("attempt", job.attempt)
        if (step := current_step.get()) is not None:
            event.setdefault("step", step)
    return event


class _Counter:
    """Tells `count` the level of every line."""

    def __init__(self, count: Callable[[str], None] | None) -> None:
        self.count = count

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        if self.count is not None:
            self.count(event["level"])
        return event


class _Teller:
    """Gives `keep` every line of a handler, with its job."""

    keep: Callable[[Any, EventDict], None] | None = None

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        if self.keep is not None and (job := current.get()) is not None:
            self.keep(job, event)
        return event


def _dropped(lines: int) -> EventDict:
    return {"event": "log_lines_dropped", "level": "warning", "lines": lines}


def _json(_: WrappedLogger, __: str, event: EventDict) -> bytes:
    # In this order whatever else is there; JSON itself escapes below space, and `escape` the rest.
    first = {name: event.pop(name) for name in ("at", "level", "event") if name in event}
    text = json.dumps({**first, **event}, ensure_ascii=False, default=str, separators=(",", ":"))
    return _CONTROL.sub(_json_escaped, text).encode() + b"\n"


def _journal(_: WrappedLogger, __: str, event: EventDict) -> bytes:
    shown = [f"{name}={value}" for name, value in event.items() if name not in ("at", "level", "event", "exception")]  # fmt: skip
    message = escape(" ".join([str(event["event"]), *shown]))
    if "exception" in event:
        message += "\n" + escape(str(event["exception"]), block=True)
    return journal.entry(event, message)


def _json_escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _console(colors: bool) -> Callable[..., bytes]:
    renderer = structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="at", sort_keys=False)

    def render(logger: WrappedLogger, name: str, event: EventDict) -> bytes:
        # What is no text is shown by its repr, which escapes by itself.
        shown = {
            escape(key): escape(value, block=key == "exception")
            if isinstance(value, str)
            else value
            for key, value in event.items()
        }
        return str(renderer(logger, name, shown)).encode(errors="backslashreplace") + b"\n"

    return render
