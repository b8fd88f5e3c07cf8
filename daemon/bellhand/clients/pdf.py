"""HTML to PDF in a process of its own, which gets a time limit, a memory limit, and nothing to fetch with."""

import asyncio
import importlib.util
import os
import resource
import sys

from bellhand.outcomes import Failed

PDF_SECONDS_MAX = 180
PDF_MEMORY_BYTES_MAX = 2 * 1024**3
_ERROR_CHARS_MAX = 500
_KEPT_ENVIRONMENT = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "FONTCONFIG_PATH",
    "FONTCONFIG_FILE",
)


class NoPdf(Failed):
    """This machine cannot make PDFs, or not of this page; the message says why and what to do."""


async def pdf_of(html: str, *, seconds_max: float = PDF_SECONDS_MAX) -> bytes:
    """The page as PDF; raises NoPdf."""
    if importlib.util.find_spec("weasyprint") is None:
        raise NoPdf("PDF needs weasyprint, which is not installed: pip install 'bellhand[pdf]'")
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(path or os.curdir for path in sys.path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, env=environment, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds_max):
            body, said = await process.communicate(html.encode("utf-8", "replace"))
    except TimeoutError as error:
        raise NoPdf(f"the PDF was not ready within {seconds_max:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not body.startswith(b"%PDF"):
        raise NoPdf(_reason(said.decode("utf-8", "replace"), process.returncode))
    return body


def _reason(said: str, code: int | None) -> str:
    if "cannot load library" in said:
        return (
            "PDF needs the Pango library, which this machine lacks: "
            "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
        )
    return f"weasyprint ended with {code}: {said.strip()[-_ERROR_CHARS_MAX:]}"


def main() -> None:
    """Read HTML from standard input, write PDF to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (PDF_MEMORY_BYTES_MAX, PDF_MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (PDF_SECONDS_MAX, PDF_SECONDS_MAX + 5))
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    html = sys.stdin.buffer.read().decode("utf-8")
    # A report is made of itself alone: no scheme is allowed, whatever slips into it.
    page = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=()))
    sys.stdout.buffer.write(page.write_pdf())


if __name__ == "__main__":
    main()
