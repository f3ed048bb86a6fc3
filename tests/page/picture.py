"""`python -m tests.page.picture FILE`: the live page at the height of the made-up AI debt wave, for the README."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import Final

import httpx
from rich.progress import BarColumn, Progress, TextColumn

from tests.chain.parts import free_port
from tests.page.browsing import chromium, drawn, looking

SIZE: Final = (1400, 1320)
HIGH: Final = 0.55
"""The index is so high at the height of the wave, which ends at 0.57."""
_INDEX: Final = "parseFloat(document.querySelector('#facts .big dd').textContent) || 0"


def main() -> None:
    """Play the story, wait for its height, and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    file = parser.parse_args().file
    ports = [free_port(), free_port()]
    own = {"MONITOR_HTTP__METRICS_PORT": str(ports[0]), "MONITOR_HTTP__PAGE_PORT": str(ports[1])}
    monitor = subprocess.Popen(
        [sys.executable, "-m", "monitor", "run", "--scenario", "ai-debt-wave"], env=os.environ | own,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    at = f"http://127.0.0.1:{ports[1]}/"
    try:
        while not _is_served(at):
            time.sleep(0.2)
        with (
            chromium() as browser,
            looking(browser, at, SIZE) as page,
            Progress(TextColumn("the wave rises: index {task.completed:.2f}"), BarColumn()) as progress,
        ):
            rising = progress.add_task("", total=HIGH)
            drawn(page)
            while (index := page.evaluate(_INDEX)) < HIGH:
                progress.update(rising, completed=index)
                page.wait_for_timeout(500)
            page.mouse.move(0, 0)
            page.wait_for_timeout(2_500)
            page.screenshot(path=file)
    finally:
        monitor.kill()
        monitor.wait()


def _is_served(at: str) -> bool:
    try:
        return httpx.get(at, timeout=5).is_success
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
