"""The rules in a real Prometheus, which scrapes a page that goes away and comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from monitor.generate.rules import JOB
from tests.chain.parts import HOST, Prometheus, free_port, until
from tests.prometheus.tools import lay_out

LOOKBACK_SECONDS = 4
"""Prometheus' own is five minutes: no test waits for longer than that."""
AWAY_SECONDS = 2 * LOOKBACK_SECONDS + 2
SOFR = 'signal="repo_tail_bp",instrument="SOFR"'
CRITICAL = ("RepoTailBp", "critical")
QUICKER = {"interval: 5s": "interval: 1s", "keep_firing_for: 1m": "keep_firing_for: 3s", "for: 30s": "for: 2s"}


class Page:
    """A page of metrics that can go away."""

    def __init__(self) -> None:
        self.text = ""
        self._server: ThreadingHTTPServer | None = None
        self.port = free_port()

    def show(self, *, ready: bool, level: int | None, regime: str | None = "crisis") -> None:
        """Say how things stand."""
        lines = [
            f"monitor_ready {int(ready)}",
            f"monitor_resumed {int(ready)}",
            "monitor_synthetic 1",
            'monitor_build_info{version="1"} 1',
        ]
        if level is not None:
            lines += [f"market_signal_level{{{SOFR}}} {level}", 'market_repo_tail_bp{instrument="SOFR"} 217']
        if level:
            lines += [
                f"market_signal_since_timestamp_seconds{{{SOFR}}} 1568635200",
                f"market_signal_crossed_threshold{{{SOFR}}} 80",
            ]
        if regime:
            lines += [f'market_stress_regime{{regime="{each}"}} {int(each == regime)}' for each in ("calm", "crisis")]
        self.text = "\n".join(lines) + "\n"

    def up(self) -> None:
        """Answer."""
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(page.text.encode())

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        """Answer no more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def told(prometheus: Prometheus) -> dict[tuple[str, str], dict[str, str]]:
    """By name and severity, the annotations of what fires."""
    return {
        (each["labels"]["alertname"], each["labels"]["severity"]): each["annotations"] for each in prometheus.firing()
    }


@pytest.fixture
def page() -> Iterator[Page]:
    """A page that is not up yet."""
    own = Page()
    yield own
    own.down()


@pytest.fixture
def prometheus(page: Page, tmp_path: Path) -> Iterator[Prometheus]:
    """A server with the generated rules, a second between scrapes and evaluations."""
    made = lay_out(tmp_path / "made", changes=QUICKER) / "deploy/prometheus/rules"
    lookback = f"--query.lookback-delta={LOOKBACK_SECONDS}s"
    with Prometheus(tmp_path / "prometheus", {JOB: f"{HOST}:{page.port}"}, made, arguments=(lookback,)) as server:
        yield server


def test_an_outage_ends_no_market_alert(page: Page, prometheus: Prometheus) -> None:
    def fires(*which: tuple[str, str]) -> bool:
        return set(which) <= set(told(prometheus))

    def stays(seconds: float, said: str) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = told(prometheus)
            assert {CRITICAL, ("RepoTailBp", "warning"), ("StressRegime", "critical")} <= set(found), said
            time.sleep(0.2)

    page.show(ready=True, level=2)
    page.up()
    until(lambda: fires(CRITICAL, ("RepoTailBp", "warning"), ("StressRegime", "critical")), "all fire")
    since = "critical since 2019-09-16 12:00 UTC (threshold 80 bp)."
    until(lambda: told(prometheus)[CRITICAL]["summary"] == f"SYNTHETIC: Repo tail SOFR: 217 bp, {since}", "told")
    assert ("MonitorDown", "critical") not in told(prometheus)

    page.down()
    stays(AWAY_SECONDS, "the monitor is down")
    assert fires(("MonitorDown", "critical"))
    away = f"SYNTHETIC: Repo tail SOFR: unknown while the monitor is away, {since}"
    assert told(prometheus)[CRITICAL]["summary"] == away

    page.show(ready=False, level=None, regime=None)
    page.up()
    stays(2 * LOOKBACK_SECONDS, "it is back, and catches up")
    page.show(ready=False, level=1, regime="calm")
    stays(2 * LOOKBACK_SECONDS, "it is back, and has not come again to where it was")
    assert told(prometheus)[CRITICAL]["summary"].endswith(since)

    page.show(ready=True, level=2)
    stays(2 * LOOKBACK_SECONDS, "it is back, and the level stands")
    until(lambda: not fires(("MonitorDown", "critical")), "MonitorDown ends")

    page.down()
    stays(AWAY_SECONDS, "it is down again")
    page.show(ready=True, level=0, regime="calm")
    page.up()
    until(lambda: not any(name in {"RepoTailBp", "StressRegime"} for name, _ in told(prometheus)), "calm ends them")

    page.show(ready=True, level=2)
    until(lambda: fires(CRITICAL), "it fires again")
    page.down()
    stays(2 * LOOKBACK_SECONDS, "it is down for the last time")
    page.show(ready=True, level=None)
    page.up()
    until(lambda: not fires(CRITICAL), "what a monitor that is ready does not know of ends")
    assert fires(("StressRegime", "critical"))
