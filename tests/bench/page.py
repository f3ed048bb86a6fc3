"""`python -m tests.bench.page`: whether ticks have to wait for two hundred people who look at the live page.

Ticks are those of a live run, all signals and alerts, one second of quotes after the other, told to the sinks of the
metrics and of the page; turn about nobody looks, and another process has so many pages open, each of which is told what
changed four times a second. Then what one page is sent in a minute: of the calm scenario as it happens, packed.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Final

import httpx

from monitor.cli.assembly import metric_of
from monitor.page import Guard, Page, PageSink, page_app
from monitor.page.state import Standing
from monitor.pipeline import Pipeline
from monitor.signals import CATALOGUE
from monitor.sinks.http import HttpServer
from monitor.sinks.prometheus import PrometheusSink
from monitor.sources.base import RawBatch
from tests.bench.made_quotes import lines
from tests.bench.run import say
from tests.bench.table import CALENDAR
from tests.chain.parts import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST: Final = "127.0.0.1"
AIM_KB_A_MINUTE: Final = 100
_READERS: Final = """
import asyncio, sys
from websockets.asyncio.client import connect

async def read(at, bars):
    async with connect(at, max_size=None) as connection:
        await connection.recv()
        await bars.wait()
        async for _ in connection:
            pass

async def main():
    bars = asyncio.Barrier(int(sys.argv[2]) + 1)
    tasks = [asyncio.create_task(read(sys.argv[1], bars)) for _ in range(int(sys.argv[2]))]
    await bars.wait()
    print("all read", flush=True)
    await asyncio.gather(*tasks)

asyncio.run(main())
"""


class _Shown:
    """The sinks of a run, and the page's server."""

    def __init__(self) -> None:
        signals = [metric_of(each) for each in CATALOGUE]
        self.prometheus = PrometheusSink(signals, "bench")
        self.page = PageSink(signals)
        standing = Standing(
            snapshot=lambda: self.prometheus.snapshot, not_ready_because=lambda: None,
            now_us=lambda: 0, turned_at=time.monotonic,
            sources=dict, is_over=lambda: False, title="bench", is_synthetic=True, speed=None, version="bench",
            grafana_url="",
        )  # fmt: skip
        self._app = page_app(Page(signals, self.page, standing), Guard())
        self.server = HttpServer(self._app, HOST, 0, has_lifespan=True)

    @contextmanager
    def read_by(self, readers: int) -> Iterator[None]:
        """So many pages are open meanwhile, in another process."""
        at = f"ws://{HOST}:{self.server.port}/ws"
        process = subprocess.Popen([sys.executable, "-c", _READERS, at, str(readers)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()
            process.communicate()


def tick_times(readers: int, turns: int, turn_seconds: float, issues: int, rate: int) -> dict[int, list[float]]:
    """Wall seconds of each tick, by how many looked meanwhile."""
    quotes = list(lines(rate * 2_000, issues, 2_000))
    pipeline, shown = Pipeline(CATALOGUE, CALENDAR), _Shown()
    shown.server.start()
    took: dict[int, list[float]] = {0: [], readers: []}
    second = 0

    def tick() -> float:
        nonlocal second
        first = second * rate
        batch = RawBatch("bench", "treasury", "bench", range(first, first + rate), quotes[first : first + rate])
        second += 1
        began = time.perf_counter()
        pipeline.ingest(batch)
        for output in pipeline.advance():
            shown.prometheus.wrote(output)
            shown.page.wrote(output)
        return time.perf_counter() - began

    for _ in range(50):
        tick()
    for turn in range(turns):
        looked = list(took)[turn % 2]
        with shown.read_by(looked) if looked else nullcontext():
            ends_at = time.monotonic() + turn_seconds
            while time.monotonic() < ends_at:
                took[looked].append(tick())
                time.sleep(0.05)  # a live run waits for its next second, too
    shown.server.stop(3)
    return took


def bytes_a_minute(seconds: float) -> float:
    """What one page is sent in a minute of the calm scenario as it happens, as it is on the wire."""
    ports = [free_port(), free_port()]
    own = {"MONITOR_HTTP__METRICS_PORT": str(ports[0]), "MONITOR_HTTP__PAGE_PORT": str(ports[1])}
    command = [sys.executable, "-m", "monitor", "run", "--scenario", "calm", "--speed", "1"]
    monitor = subprocess.Popen(command, env=os.environ | own, stderr=subprocess.DEVNULL)
    try:
        ready = f"http://{HOST}:{ports[1]}/-/ready"
        while not _answers(ready):
            time.sleep(0.5)
        with socket.create_connection((HOST, ports[1])) as page:
            page.sendall(
                f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode()
            )
            time.sleep(5)  # the whole comes first
            page.recv(1 << 22)
            page.settimeout(0.1)
            got, ends_at = 0, time.monotonic() + seconds
            while time.monotonic() < ends_at:
                with suppress(TimeoutError):
                    got += len(page.recv(1 << 16))
        return got / seconds * 60
    finally:
        monitor.kill()
        monitor.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def main() -> None:
    """Turn about, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--turn-seconds", type=float, default=6.0)
    parser.add_argument("--issues", type=int, default=340)
    parser.add_argument("--rate", type=int, default=500, help="quotes a second")
    parser.add_argument("--calm-seconds", type=float, default=60.0, help="so long the calm day is looked at")
    given = parser.parse_args()
    took = tick_times(given.readers, given.turns, given.turn_seconds, given.issues, given.rate)
    alone, looked_at = statistics.median(took[0]), statistics.median(took[given.readers])
    for name, of in (
        ("median", statistics.median),
        ("95th of 100", lambda each: statistics.quantiles(each, n=20)[-1]),
    ):
        say(
            f"tick, {name}: nobody looks {1e3 * of(took[0]):.1f} ms, {given.readers} pages "
            f"{1e3 * of(took[given.readers]):.1f} ms, ratio {of(took[given.readers]) / of(took[0]):.2f}"
        )
    say(f"{len(took[0])} and {len(took[given.readers])} ticks; median {looked_at / alone:.2f} times as long")
    say(f"a calm minute: {bytes_a_minute(given.calm_seconds) / 1_000:.0f} kB, aim {AIM_KB_A_MINUTE}")


if __name__ == "__main__":
    main()
