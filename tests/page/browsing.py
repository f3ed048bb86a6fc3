"""The page in a real browser: Debian's chromium, driven over its own protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.prometheus.tools import need

WIDE, PHONE = (1400, 1000), (390, 844)
SERIOUS = {"serious", "critical"}
PATIENCE_MS = 20_000
"""What a test waits for comes within a second on a quiet machine."""


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=need("chromium"), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@contextmanager
def looking(
    browser: Browser, url: str, size: tuple[int, int] = WIDE, *, is_cut_off: bool = False, **more: Any
) -> Iterator[Page]:
    """The page at an address; at its end the browser must have had nothing to complain about.

    Args:
        browser: to look with.
        url: of the page.
        size: of the window.
        is_cut_off: whether connections are refused meanwhile, which a browser says.
        more: of the browser's context.
    """
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **more)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    page.wait_for_function("document.getElementById('facts').childElementCount > 0")
    yield page
    context.close()
    refused = ("WebSocket connection to", "ERR_CONNECTION") if is_cut_off else ()
    assert [each for each in said if not any(word in each for word in refused)] == []


def drawn(page: Page) -> None:
    """Wait until the charts are there."""
    page.wait_for_selector("#index-chart .main-svg")
    page.wait_for_selector("#parts-chart .main-svg")


def faults(page: Page) -> list[str]:
    """What axe-core finds that is serious, in words."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {node['html'][:160]}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]
