"""A tab of a real Chromium, and how tests wait for what it shows.

A key that is pressed leads somewhere later: what comes next waits for its page (`acts`, `wait_for_url`), as what a page shows meanwhile
may be true already of the old one, whose keys and scripts are gone a moment later.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from daemons import at_work
from pages import GO, HANDLERS
from support import ROOT, eventually

AXE = Path(
    os.environ.get("BELLHAND_TEST_AXE") or ROOT / ".browser/node_modules/axe-core/axe.min.js"
)
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 900}
PATIENCE_SECONDS = 30.0
UNHURRIED = {"lease_seconds": 30.0}  # a browser that starts takes the machine for itself


class Seen:
    """One tab; what its console complained of, and whether a dialog opened."""

    def __init__(self, context: Any, page: Any, base: str) -> None:
        self.context = context
        self.page = page
        self.base = base
        self.complaints: list[str] = []
        page.set_default_timeout(1000 * PATIENCE_SECONDS)
        # The first search of the guides makes the reference.
        page.set_default_navigation_timeout(2000 * PATIENCE_SECONDS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dialog)

    def _console(self, said: Any) -> None:
        # Of a page that was not ready in time, on a machine that is busy with other things; it tries again by itself.
        if said.type == "error" and "status of 503" not in said.text:
            self.complaints.append(said.text)

    async def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog {dialog.message}")
        await dialog.dismiss()

    async def go(self, path: str) -> None:
        """Open a page, and wait until its scripts have run; again and again where the daemon had no time for it."""

        async def had_time() -> int | None:
            status = int((await self.page.goto(self.base + path)).status)
            return status if status != 503 else None

        found = await eventually(had_time)
        assert found < 400, f"{path}: {found}"

    async def acts(self, key: str, did: str) -> None:
        """Press a key that does something, and wait for the page that says `did`."""
        await self.page.keyboard.press(key)
        await self.page.wait_for_url(lambda url: f"did={did}&" in f"{url}&")

    async def text(self, selector: str) -> str:
        return " ".join((await self.page.inner_text(selector)).split())

    async def until_says(
        self, selector: str, words: str, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Waits for what must not stand there yet when the act is done that leads to it."""

        async def said() -> bool:
            text = await self.text(selector)
            assert words in text, f"{selector} should say {words!r}, it says {text!r}"
            return True

        await eventually(said, seconds)

    async def until_complains(self, words: str) -> None:
        await eventually(
            lambda: any(words in one for one in self.complaints), because=f"{words} in the console"
        )


@asynccontextmanager
async def tab(program: str, base: str, **options: Any) -> AsyncIterator[Seen]:
    """A tab that looks at `base`, of a browser of its own; Chromium as root needs --no-sandbox."""
    from playwright.async_api import async_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            context = await browser.new_context(**({"viewport": WIDE} | options))
            yield Seen(context, await context.new_page(), base)
        finally:
            await browser.close()
            for event in GO.values():
                event.set()
            GO.clear()


@asynccontextmanager
async def looking(
    dsn: str, program: str, sections: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Seen]:
    """A daemon at work, with these sections of settings, and a tab that looks at it."""
    GO.clear()
    async with (
        at_work(dsn, *HANDLERS, worker=UNHURRIED, **(sections or {})) as daemon,
        tab(program, f"http://127.0.0.1:{daemon.status.port}", **options) as seen,
    ):
        yield seen


def let(name: str, number: int) -> None:
    """A job of pages.steps that waits for `name` may begin its step `number`."""
    GO.setdefault(f"{name}.{number}", asyncio.Event()).set()
