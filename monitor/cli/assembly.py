"""Puts a run together out of the settings: sources, stage, sinks, state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from random import Random
from types import MappingProxyType

from prometheus_client import ProcessCollector

from monitor import __version__
from monitor.calendar import MarketCalendar
from monitor.cli.outgoing import publish_sink, reject_sink
from monitor.config import Settings
from monitor.config.kafka import KafkaSourceSettings
from monitor.config.sections import FileSourceSettings
from monitor.config.websocket import WebSocketSourceSettings
from monitor.engine.block import BARS
from monitor.journal import Journal
from monitor.live import LiveRun
from monitor.page import PageSink
from monitor.pipeline import Pipeline
from monitor.signals.model import Signal
from monitor.sinks.base import Sink
from monitor.sinks.log import LogSink
from monitor.sinks.prometheus import PrometheusSink
from monitor.sinks.snapshot import MetricOfSignal
from monitor.sources.base import LINES_A_MESSAGE, SourceError
from monitor.sources.clock import StoryClock
from monitor.sources.file import FileSource
from monitor.sources.kafka import KafkaSource
from monitor.sources.kafka.topics import Topics
from monitor.sources.mapped import MappedSource
from monitor.sources.supervisor import KAFKA, LIVE_KINDS, Feed, Supervisor, SupervisorSettings
from monitor.sources.websocket import Numbers, WebSocketSource
from monitor.stages.bar_topic import BarTopic, BarWriter, Claims
from monitor.stages.sealing import SealingRun
from monitor.stories import Story
from monitor.streams import STREAMS, Reason


class StageError(Exception):
    """The stage cannot be run with these settings; the message says why."""


class Assembled:
    """A run with all that it needs.

    Attributes:
        run: runs until stopped.
        not_ready_because: a sentence while it is not ready, else None.
        supervisor: of its sources.
        prometheus: what the metrics page shows.
        clock: the clock of the story that it plays; None if it plays none.
        journal: its durable state; None if it has none.
        goes_on: whether it goes on from a state that was left.
        now_us: what time it is for the monitor, epoch microseconds.
        page: what the live page keeps; None: it has none, as it evaluates nothing.
        has_resumed: whether it was ever ready; None: it evaluates nothing.
    """

    def __init__(
        self,
        run: LiveRun | SealingRun,
        supervisor: Supervisor,
        prometheus: PrometheusSink,
        *,
        clock: StoryClock | None = None,
        journal: Journal | None = None,
        goes_on: bool = False,
        now_us: Callable[[], int] | None = None,
        page: PageSink | None = None,
    ) -> None:
        self.run, self.not_ready_because = run.run, run.not_ready_because
        self.has_resumed: Callable[[], bool] | None = run.has_resumed if isinstance(run, LiveRun) else None
        self.supervisor, self.prometheus = supervisor, prometheus
        self.clock, self.journal, self.goes_on, self.page = clock, journal, goes_on, page
        self.now_us: Callable[[], int] = now_us or (clock.now_us if clock else _wall_us)


def assemble(settings: Settings, story: Story | None, closing: ExitStack) -> Assembled:
    """The run that the settings ask for.

    Args:
        settings: of the run.
        story: what is played in place of the settings' sources; None: nothing.
        closing: closes what the run has opened.

    Raises:
        StageError: the stage does not go with the sources.
        StateError: the state cannot be used.
        KafkaConnectionError: the stage needs brokers, and none answers.
    """
    make = _sealing if settings.run.stage == "bars" else _live
    assembled = make(settings, story, closing)
    assembled.prometheus.stands(
        is_ready=lambda: assembled.not_ready_because() is None,
        now_us=assembled.now_us,
        has_resumed=assembled.has_resumed,
        clock="story" if assembled.clock else settings.run.clock,
        is_synthetic=is_synthetic(settings, story),
    )
    ProcessCollector(registry=assembled.prometheus.registry)
    return assembled


def is_synthetic(settings: Settings, story: Story | None) -> bool:
    """Whether the events of a run are made up."""
    return story.is_synthetic if story else settings.run.synthetic


def _wall_us() -> int:
    return time.time_ns() // 1_000


def _live(settings: Settings, story: Story | None, closing: ExitStack) -> Assembled:
    """Evaluates signals, of events that it seals itself or of bars that others sealed."""
    signals = settings.catalogue()
    calendar = MarketCalendar(settings.calendar.user_dates())
    prometheus = PrometheusSink(
        [metric_of(each) for each in signals], __version__, streams=STREAMS, reasons=tuple(Reason)
    )
    begin = story.first_tick if story else settings.run.first_tick
    pipeline = Pipeline(signals, calendar, begin=begin, is_durable=settings.run.state is not None)
    journal = _journal(settings, story, pipeline, calendar, prometheus, closing)
    goes_on = journal is not None and journal.open()
    if journal is not None:
        prometheus.go_on(journal.counts)
    clock = story.clock(journal.clock_us if journal else None) if story else None
    if story and clock:
        feeds = [Feed(story.name, story.kind, partial(story.make, clock))]
    elif settings.run.stage == "signals":
        feeds = [_bars_feed(settings)]
    else:
        feeds = [_mapped(_feed(name, each, settings), settings) for name, each in settings.sources.items()]
    supervisor = _supervisor(settings, feeds, prometheus, pipeline.positions, pipeline.next_positions)
    page = PageSink([metric_of(each) for each in signals], story.speed if story else 1.0)
    sinks = [*_sinks(settings, signals, prometheus, story, closing), page]
    run = LiveRun(supervisor, clock, pipeline, sinks, prometheus, journal=journal)
    now_us = (lambda: pipeline.newest_event_us or _wall_us()) if settings.run.clock == "feed" and not clock else None
    return Assembled(
        run, supervisor, prometheus, clock=clock, journal=journal, goes_on=goes_on, now_us=now_us, page=page
    )


def _sealing(settings: Settings, story: Story | None, closing: ExitStack) -> Assembled:
    """Seals the partitions that a consumer group gives to this process, and evaluates nothing."""
    sources = {name: each for name, each in settings.sources.items() if isinstance(each, KafkaSourceSettings)}
    if story or not sources or len(sources) < len(settings.sources):
        raise StageError("the stage bars shares out partitions of Kafka: all [sources.NAME] must be of kind kafka")
    urls = {each.url for each in sources.values()} - {None, settings.kafka.url}
    if urls:
        raise StageError("the stage bars seals what is on the brokers of the bars: leave url out of the sources")
    groups = {each.group for each in sources.values()}
    if len(groups) > 1:
        raise StageError(f"the sources of one topic of bars must be of one group, not of {', '.join(sorted(groups))}")
    prometheus = PrometheusSink([], __version__, streams=STREAMS, reasons=tuple(Reason))
    chosen = settings.bars
    topic = BarTopic(settings.kafka.connection(), chosen.topic, groups.pop(), chosen.keep_days, chosen.replication)
    count = topic.make()
    claims = Claims(topic, count, [each.reads() for each in sources.values()])
    writer = BarWriter(topic, count, time.monotonic)
    closing.callback(writer.close, settings.run.stop_within_seconds / 4)
    feeds = [
        _mapped(Feed(name, each.kind, partial(_kafka, name, each, settings, claims), each.silence_seconds), settings)
        for name, each in sources.items()
    ]
    supervisor = _supervisor(settings, feeds, prometheus)
    sinks = _sinks(settings, (), prometheus, None, closing)
    return Assembled(SealingRun(supervisor, claims, writer, sinks, prometheus), supervisor, prometheus)


def _sinks(
    settings: Settings, signals: Sequence[Signal], prometheus: PrometheusSink, story: Story | None, closing: ExitStack
) -> list[Sink]:
    is_made_up = is_synthetic(settings, story)
    headlines = [each.name for each in signals if each.headline]
    sinks: list[Sink] = [prometheus, LogSink(headlines, time.monotonic, is_synthetic=is_made_up)]
    metrics = [metric_of(each) for each in signals]
    for sink in (
        reject_sink(settings, prometheus, is_synthetic=is_made_up),
        publish_sink(settings, metrics, prometheus, is_synthetic=is_made_up) if signals else None,
    ):
        if sink is not None:
            sinks.append(sink)
            closing.callback(sink.close)
    return sinks


def _supervisor(
    settings: Settings,
    feeds: list[Feed],
    prometheus: PrometheusSink,
    resume: Mapping[str, int] = MappingProxyType({}),
    unseen: Mapping[str, int] = MappingProxyType({}),
) -> Supervisor:
    return Supervisor(
        feeds,
        resume,
        unseen=unseen,
        settings=SupervisorSettings(**settings.supervisor.model_dump()),
        on_state=prometheus.source_state,
        on_counts=prometheus.feed_counts,
        wall_us=lambda: time.time_ns() // 1_000,
        random=Random(),  # noqa: S311 - the jitter of waits
    )


def _feed(
    name: str, each: FileSourceSettings | KafkaSourceSettings | WebSocketSourceSettings, settings: Settings
) -> Feed:
    if isinstance(each, FileSourceSettings):
        return Feed(name, each.kind, partial(FileSource, each.path, each.stream, name))
    if isinstance(each, WebSocketSourceSettings):
        # Its numbers are looked at over all connections.
        return Feed(name, each.kind, partial(_websocket, name, each, each.numbers(name)), each.silence_seconds)
    return Feed(name, each.kind, partial(_kafka, name, each, settings, None), each.silence_seconds)


def feeds_as_they_come(settings: Settings) -> list[Feed]:
    """The feeds of the settings without what the settings make of them: what a recording is made of."""
    return [_feed(name, each, settings) for name, each in settings.sources.items()]


def _mapped(feed: Feed, settings: Settings) -> Feed:
    """The feed with what the settings make of it."""
    mapper = settings.mapper(feed.name)
    if mapper is None:
        return feed
    make, of_messages = feed.make, feed.kind in LIVE_KINDS
    return replace(feed, make=lambda: MappedSource(make(), mapper, of_messages=of_messages))


def _websocket(name: str, each: WebSocketSourceSettings, numbers: Numbers | None) -> WebSocketSource:
    return WebSocketSource(name, each.stream, each.link(), numbers=numbers, ping_seconds=each.ping_seconds)


def _kafka(name: str, each: KafkaSourceSettings, settings: Settings, claims: Claims | None) -> KafkaSource:
    shares: dict[str, Callable[..., int | None]] = {"claim": claims.claim, "lose": claims.lose} if claims else {}
    if claims and each.mapping:
        # A position counts what a mapping made of a message, so the message is read from its beginning.
        shares["claim"] = partial(_from_message, claims)
    try:
        connection = settings.kafka.connection(each.url)
    except ValueError as error:  # a file of certificates or secrets that is being replaced: it is tried again
        raise SourceError(f"{name} cannot be connected: {error}") from error
    return KafkaSource(
        name,
        connection,
        each.reads(),
        group=each.group,
        stream=each.stream,
        start=each.start,
        session_seconds=each.session_seconds,
        **shares,  # type: ignore[arg-type] # both or none
    )


def _from_message(claims: Claims, partition: str, generation: int) -> int | None:
    position = claims.claim(partition, generation)
    return None if position is None else position // LINES_A_MESSAGE * LINES_A_MESSAGE


def _bars_feed(settings: Settings) -> Feed:
    """The topic of bars, read whole."""
    topic = settings.bars.topic
    make = partial(
        KafkaSource, topic, settings.kafka.connection(), Topics((topic,)),
        group=f"{topic}.readers", stream=BARS, has_lines=False,
    )  # fmt: skip
    return Feed(topic, KAFKA, make)


def _journal(
    settings: Settings,
    story: Story | None,
    pipeline: Pipeline,
    calendar: MarketCalendar,
    prometheus: PrometheusSink,
    closing: ExitStack,
) -> Journal | None:
    if settings.run.state is None:
        return None
    of_bars = f"bars of {settings.bars.topic}" if settings.run.stage == "signals" else ""
    journal = Journal(
        settings.run.state,
        pipeline,
        calendar,
        identity=story.identity if story else of_bars,
        wall=time.monotonic,
        on_write=prometheus.state_written,
    )
    closing.callback(journal.close)
    return journal


def metric_of(each: Signal) -> MetricOfSignal:
    """What the metrics page needs to know of a signal."""
    headline_rows = frozenset(row.id for row in each.thresholds if row.headline)
    return MetricOfSignal(
        name=each.name,
        alert=each.alert,
        help=each.help,
        segment=each.segment,
        labels=each.labels,
        headline=each.headline,
        has_levels=bool(each.thresholds),
        headline_rows=headline_rows,
        title=each.title,
        unit=each.unit,
        notify=each.notify or "",
    )
