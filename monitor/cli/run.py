"""`stress-monitor run`."""

from __future__ import annotations

import signal
import threading
import time as wall_time
from datetime import datetime
from functools import partial
from random import Random
from typing import Annotated
from zoneinfo import ZoneInfo

import structlog
import typer
from prometheus_client import disable_created_metrics

from monitor import __version__
from monitor.calendar import NEW_YORK, MarketCalendar
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
from monitor.config.kafka import KafkaSourceSettings
from monitor.config.sections import FileSourceSettings
from monitor.journal import Journal, StateError
from monitor.live import LiveRun
from monitor.pipeline import Pipeline
from monitor.signals.model import Signal
from monitor.sinks.base import SinkError
from monitor.sinks.http import HttpServer, metrics_app
from monitor.sinks.log import LogSink
from monitor.sinks.prometheus import MetricOfSignal, PrometheusSink
from monitor.sources.clock import StoryClock
from monitor.sources.file import FileSource
from monitor.sources.kafka import KafkaSource
from monitor.sources.kafka_topics import DEFAULT_TOPICS, Topics
from monitor.sources.supervisor import Feed, Supervisor, SupervisorSettings
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
) -> None:
    """Run the monitor live.

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
        run={"plays": plays, "state": state},
    )
    calendar = MarketCalendar(settings.calendar.user_dates())
    signals = settings.catalogue()
    try:
        story = _story(settings) if plays or not settings.sources else None
        disable_created_metrics()
        prometheus = PrometheusSink([_metric(each) for each in signals], __version__)
        narrator = LogSink(
            [each.name for each in signals if each.headline],
            wall_time.monotonic,
            is_synthetic=story is not None and story.is_synthetic,
        )
        begin = story.first_tick if story else settings.run.first_tick
        pipeline = Pipeline(signals, calendar, begin=begin, is_durable=settings.run.state is not None)
        journal = _journal(settings, story, pipeline, calendar, prometheus)
        has_state = journal is not None and journal.open()
        clock = story.clock(journal.clock_us if journal else None) if story else None
        supervisor = Supervisor(
            [_feed_of_story(story, clock)] if story and clock else _feeds(settings),
            pipeline.positions,
            settings=SupervisorSettings(**settings.supervisor.model_dump()),
            on_state=prometheus.source_state,
            wall_us=lambda: wall_time.time_ns() // 1_000,
            random=Random(),  # noqa: S311 - the jitter of waits
        )
        live = LiveRun(supervisor, clock, pipeline, [prometheus, narrator], prometheus, journal=journal)
        server = HttpServer(
            metrics_app(prometheus.registry, live.not_ready_because), settings.http.host, settings.http.metrics_port
        )
    except (StoryError, StateError) as error:
        fail(error)
    stop = _Stop()
    try:
        server.start()
        _say_where(f"http://{settings.http.host}:{server.port}", story, clock, goes_on=has_state)
        live.run(stop.asked)
    except SinkError as error:
        fail(error)
    finally:
        _shut_down(server, supervisor, settings.run.stop_within_seconds)
        if journal is not None:
            if story and stop.by_hand:
                journal.discard()
            journal.close()


def _story(settings: Settings) -> Story:
    if settings.run.plays == SCENARIO_KIND:
        return scenario_story(settings.scenario.name, settings.scenario.seed, settings.scenario.speed)
    chosen = settings.history
    return history_story(chosen.name, chosen.first, chosen.last, chosen.speed)


def _feed_of_story(story: Story, clock: StoryClock) -> Feed:
    return Feed(story.name, story.kind, lambda: story.make(clock))


def _feeds(settings: Settings) -> list[Feed]:
    return [_feed(name, each, settings) for name, each in settings.sources.items()]


def _feed(name: str, each: FileSourceSettings | KafkaSourceSettings, settings: Settings) -> Feed:
    if isinstance(each, FileSourceSettings):
        return Feed(name, each.kind, partial(FileSource, each.path, each.stream, name))
    topics = Topics(pattern=each.pattern) if each.pattern else Topics(each.topics or DEFAULT_TOPICS)
    make = partial(
        KafkaSource, name, settings.kafka.connection(each.url), topics,
        group=each.group, stream=each.stream, start=each.start,
    )  # fmt: skip
    return Feed(name, each.kind, make, each.silence_seconds)


def _journal(
    settings: Settings, story: Story | None, pipeline: Pipeline, calendar: MarketCalendar, prometheus: PrometheusSink
) -> Journal | None:
    if settings.run.state is None:
        return None
    return Journal(
        settings.run.state,
        pipeline,
        calendar,
        identity=story.identity if story else "",
        wall=wall_time.monotonic,
        on_write=prometheus.state_written,
    )


def _metric(each: Signal) -> MetricOfSignal:
    headline_rows = frozenset(row.id for row in each.thresholds if row.headline)
    return MetricOfSignal(
        each.name, each.alert, each.help, each.segment, each.labels, each.headline, bool(each.thresholds), headline_rows
    )


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


def _say_where(address: str, story: Story | None, clock: StoryClock | None, *, goes_on: bool) -> None:
    if story and clock:
        begin = datetime.fromtimestamp(clock.start_us / MICROSECONDS_PER_SECOND, ZoneInfo(NEW_YORK))
        what = f"plays {story.name} from {begin:%Y-%m-%d %H:%M:%S} New York, {story.speed:g} times as fast"
        if goes_on:
            what += "; it goes on where it was killed"
    else:
        story, what = None, "is live"
    err.print(f"[bold]stress-monitor {__version__}[/bold] {what}", highlight=False)
    if story:
        err.print(f"  {story.title}", highlight=False)
    for path, shown in (("/metrics", "signals, levels, thresholds"), ("/-/ready", "whether it is ready")):
        err.print(f"  {address}{path}  {shown}", highlight=False)
    err.print("Ctrl-C stops it.", highlight=False)


def _shut_down(server: HttpServer, supervisor: Supervisor, within_seconds: float) -> None:
    """Let go of everything within one deadline."""
    deadline = wall_time.monotonic() + within_seconds
    supervisor.stop(deadline - within_seconds / 2)
    server.stop(max(0.1, deadline - wall_time.monotonic()))
    _log.info("stopped")
