"""A page of a made-up market, and its server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.routing import BaseRoute

from monitor.page import Guard, Page, PageSink, page_app
from monitor.page.state import Standing
from monitor.results import Alarm, Level, ThresholdInForce
from monitor.sinks.http import HttpServer
from monitor.sinks.prometheus import PrometheusSink
from monitor.sinks.snapshot import MetricOfSignal
from tests.sinks.made import LABELS, TICK, index_row, output, step, transition

TAIL = MetricOfSignal(
    "repo_tail_bp", "RepoTailBp", "How dear the dearest is.", "repo", LABELS, headline=True, has_levels=True,
    headline_rows=frozenset({"benchmark"}), title="Repo tail", unit="bp", notify="on-call",
)  # fmt: skip
VOLUME = MetricOfSignal(
    "repo_volume_busd", "RepoVolumeBusd", "How much is traded.", "repo", LABELS, headline=False, has_levels=False,
    title="Repo volume", unit="busd",
)  # fmt: skip
SIGNALS = (TAIL, VOLUME)
STOP_SECONDS = 3.0


def alarm(**more: Any) -> Alarm:
    known: dict[str, Any] = {
        "signal": TAIL.name, "labels": {"instrument": "SOFR"}, "level": Level.CRITICAL, "since": TICK,
        "threshold": 80.0, "blind_since": None,
    }  # fmt: skip
    return Alarm(**(known | more))


@dataclass
class Market:
    """What is behind the page, and what it says of itself."""

    signals: Sequence[MetricOfSignal] = SIGNALS
    not_ready: str | None = None
    is_over: bool = False
    now: int = TICK
    turned_at: float | None = None
    sources: dict[str, str] = field(default_factory=dict)
    is_synthetic: bool = True
    sink: PageSink = field(init=False)
    prometheus: PrometheusSink = field(init=False)

    def __post_init__(self) -> None:
        self.sink = PageSink(self.signals)
        self.prometheus = PrometheusSink(self.signals, "1")

    def wrote(self, *steps: dict[str, Any], **more: Any) -> None:
        told = output(steps, **more)
        self.prometheus.wrote(told)
        self.sink.wrote(told)

    def crunch(self, at: int = 0, value: float = 217.0) -> None:
        """A tail that is critical, so many seconds after the first tick."""
        tick = TICK + at
        self.wrote(
            step(TAIL.name, value, 2, tick=tick, score=0.95, row="benchmark"),
            step(VOLUME.name, 900.0, None, tick=tick),
            until=tick, index=[index_row(tick=tick)], alarms=[alarm()],
            transitions=[transition(tick=tick)] if at == 0 else [],
            thresholds=[
                ThresholdInForce(TAIL.name, "benchmark", level, edge, value)
                for level, edge, value in (
                    ("warning", "enter", 40.0), ("warning", "exit", 25.0), ("critical", "enter", 80.0),
                )
            ],
        )  # fmt: skip

    @property
    def standing(self) -> Standing:
        return Standing(
            snapshot=lambda: self.prometheus.snapshot,
            not_ready_because=lambda: self.not_ready,
            now_us=lambda: 1_000_000 * self.now,
            turned_at=lambda: self.turned_at,
            sources=lambda: self.sources,
            is_over=lambda: self.is_over,
            title="A made-up market",
            is_synthetic=self.is_synthetic,
            speed=None,
            version="1.2.3",
            grafana_url="http://127.0.0.1:3000",
        )

    @property
    def page(self) -> Page:
        return Page(self.signals, self.sink, self.standing)


@contextmanager
def serving(
    market: Market, guard: Guard | None = None, port: int = 0, others: Sequence[BaseRoute] = ()
) -> Iterator[HttpServer]:
    app = page_app(market.page, guard or Guard(), others)
    server = HttpServer(app, "127.0.0.1", port, settings=("page_host", "page_port"), has_lifespan=True)
    server.start()
    try:
        yield server
    finally:
        server.stop(STOP_SECONDS)


def many(count: int) -> tuple[Market, list[dict[str, Any]]]:
    """A market of so many label sets, none of which is critical, and their steps."""
    signals = [replace(TAIL, headline=False), replace(VOLUME, headline=True)]
    steps = [step(TAIL.name, float(at), 0, instrument=f"I{at}", score=0.0) for at in range(count)]
    return Market(signals), steps
