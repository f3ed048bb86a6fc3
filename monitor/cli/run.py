"""`stress-monitor run`."""

from __future__ import annotations

import signal
import threading
import time
import webbrowser
from contextlib import ExitStack
from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import structlog
import typer
from prometheus_client import disable_created_metrics
from starlette.routing import Route

from monitor import __version__
from monitor.calendar import NEW_YORK
from monitor.cli.assembly import Assembled, StageError, assemble, is_synthetic, metric_of
from monitor.cli.common import (
    ConfigFlag,
    FirstFlag,
    HistoryFlag,
    LastFlag,
    ScenarioFlag,
    SeedFlag,
    StateFlag,
    app,
    day,
    err,
    fail,
    settings_of,
)
from monitor.config import Settings
from monitor.generate.facts import Facts
from monitor.generate.runbooks import library
from monitor.journal import StateError
from monitor.kafka.connection import KafkaConnectionError
from monitor.page import Guard, Page, page_app
from monitor.page.state import Standing
from monitor.sinks.base import SinkError
from monitor.sinks.http import HttpServer, metrics_app
from monitor.sinks.runbook_pages import runbook_routes
from monitor.stories import SCENARIO_KIND, Story, StoryError, history_story, scenario_story
from monitor.streams import MICROSECONDS_PER_SECOND

_log = structlog.get_logger(__name__)


@app.command(
    epilog="Examples: stress-monitor run --scenario repo-squeeze --speed 120 --state var/state   |   "
    "stress-monitor run --history repo-2018-2025 --from 2020-03-02 --to 2020-03-31 --speed 21600   |   "
    "stress-monitor run --config deploy/monitor.kafka.toml"
)
def run(
    config: ConfigFlag = None,
    scenario: ScenarioFlag = None,
    seed: SeedFlag = None,
    history: HistoryFlag = None,
    first: FirstFlag = None,
    last: LastFlag = None,
    speed: Annotated[float | None, typer.Option(help="Seconds of event time a second.")] = None,
    state: StateFlag = None,
    stage: Annotated[
        Literal["all", "bars", "signals"] | None,
        typer.Option(help="bars: seal what a consumer group gives; signals: evaluate what was sealed. Default: all."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the live page in the browser.")] = False,
) -> None:
    """Run the monitor live, and show it on http://127.0.0.1:8080/.

    Without --config it plays an embedded scenario, made up from beginning to end: the AI debt wave. With
    --state it goes on where it was killed; a story that was stopped by Ctrl-C begins anew. Metrics are on
    http://127.0.0.1:9464/metrics.
    """
    if scenario and history:
        fail("name a --scenario or a --history, not both")
    plays = "history" if history else "scenario" if scenario else None
    settings = settings_of(
        config,
        scenario={"name": scenario, "seed": seed, "speed": None if history else speed},
        history={"name": history, "first": day(first), "last": day(last), "speed": speed if history else None},
        run={"plays": plays, "state": state, "stage": stage},
    )
    stop = _Stop()
    with ExitStack() as closing:
        try:
            story = _story(settings) if plays or not (settings.sources or settings.run.stage != "all") else None
            disable_created_metrics()
            assembled = assemble(settings, story, closing)
        except (StoryError, StateError, StageError, KafkaConnectionError) as error:
            fail(error)
        runbooks = _runbooks(settings)
        http = settings.http
        metrics = HttpServer(
            metrics_app(assembled.prometheus.page, assembled.not_ready_because, runbooks), http.host, http.metrics_port
        )
        try:
            page = _page_server(settings, story, assembled, runbooks)
        except ValueError as error:
            fail(error)
        servers = [metrics, page] if page else [metrics]
        try:
            for server in servers:
                server.start()
            at_page = _address(http.page_host, page.port) + "/" if page else None
            _say_where(at_page, _address(http.host, metrics.port), story, assembled, settings.run.stage)
            if open_page and at_page:
                webbrowser.open(at_page)
            assembled.run(stop.asked)
        except (SinkError, KafkaConnectionError) as error:
            fail(error)
        finally:
            _shut_down(servers, assembled, settings.run.stop_within_seconds)
            if assembled.journal is not None and story and stop.by_hand:
                assembled.journal.discard()


def _runbooks(settings: Settings) -> list[Route]:
    """What each alert means and what to do, with the thresholds in force."""
    return runbook_routes(library(Facts(tuple(settings.catalogue()), settings.links.links())))


def _page_server(
    settings: Settings, story: Story | None, assembled: Assembled, runbooks: list[Route]
) -> HttpServer | None:
    """What serves the live page; None where nothing is evaluated. ValueError if its token cannot be read."""
    if assembled.page is None:
        return None
    supervisor = assembled.supervisor
    standing = Standing(
        snapshot=lambda: assembled.prometheus.snapshot,
        not_ready_because=assembled.not_ready_because,
        now_us=assembled.now_us,
        turned_at=lambda: assembled.prometheus.turned_at,
        sources=lambda: assembled.prometheus.source_states,
        is_over=lambda: story is not None and supervisor.ended,
        title=story.title if story else ", ".join(settings.sources) or "bars that others seal",
        is_synthetic=is_synthetic(settings, story),
        speed=story.speed if story else None,
        version=__version__,
        grafana_url=settings.links.grafana_url,
    )
    signals = [metric_of(each) for each in settings.catalogue()]
    http = settings.http
    guard = Guard(frozenset({http.page_host.lower(), *http.allowed_hosts}), http.page_token())
    app = page_app(Page(signals, assembled.page, standing), guard, runbooks)
    return HttpServer(app, http.page_host, http.page_port, settings=("page_host", "page_port"), has_lifespan=True)


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _story(settings: Settings) -> Story:
    if settings.run.plays == SCENARIO_KIND:
        return scenario_story(settings.scenario.name, settings.scenario.seed, settings.scenario.speed)
    chosen = settings.history
    return history_story(chosen.name, chosen.first, chosen.last, chosen.speed)


class _Stop:
    """That somebody wants the run to end, and whether it was by hand."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.by_hand = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, _: object) -> None:
        self.by_hand = self.by_hand or number == signal.SIGINT
        self.asked.set()


def _say_where(at_page: str | None, address: str, story: Story | None, assembled: Assembled, stage: str) -> None:
    clock = assembled.clock
    if story and clock:
        begin = datetime.fromtimestamp(clock.start_us / MICROSECONDS_PER_SECOND, ZoneInfo(NEW_YORK))
        what = f"plays {story.name} from {begin:%Y-%m-%d %H:%M:%S} New York, {story.speed:g} times as fast"
        if assembled.goes_on:
            what += "; it goes on where it was killed"
    else:
        what = {"all": "is live", "bars": "seals bars", "signals": "evaluates bars that others seal"}[stage]
    if at_page:
        err.print(f"[bold]{at_page}[/bold]  look here: the live page", highlight=False)
    err.print(f"[bold]stress-monitor {__version__}[/bold] {what}", highlight=False)
    if story:
        err.print(f"  {story.title}", highlight=False)
    for path, shown in (
        ("/metrics", "signals, levels, thresholds"),
        ("/runbooks/", "what each alert means, what to do"),
        ("/-/ready", "whether it is ready"),
    ):
        err.print(f"  {address}{path}  {shown}", highlight=False)
    err.print("Ctrl-C stops it.", highlight=False)


def _shut_down(servers: list[HttpServer], assembled: Assembled, within_seconds: float) -> None:
    """Let go of the sources and of the pages within half of the deadline; sinks have the other half."""
    deadline = time.monotonic() + within_seconds / 2
    assembled.supervisor.stop(deadline - within_seconds / 4)
    for server in servers:
        server.stop(max(0.1, (deadline - time.monotonic()) / len(servers)))
    _log.info("stopped")
