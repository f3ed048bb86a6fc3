"""`stress-monitor produce`."""

from __future__ import annotations

import threading
import time as wall_time
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from monitor.cli.common import (
    ConfigFlag,
    FirstFlag,
    HistoryFlag,
    ScenarioFlag,
    SeedFlag,
    app,
    day,
    err,
    fail,
    settings_of,
)
from monitor.cli.stopping import asked_to_stop
from monitor.config import Settings
from monitor.kafka.connection import KafkaConnectionError, quiet_library_log
from monitor.kafka.publisher import Publisher
from monitor.produce.feeds import FULL, Feed, FilesFeed, StoryFeed
from monitor.produce.files import FilesTarget
from monitor.produce.kafka import GIVEN_UP_SECONDS, MOST_EVENTS_A_MESSAGE, KafkaTarget
from monitor.produce.run import Produced
from monitor.produce.run import produce as publish
from monitor.produce.target import Target, TargetError
from monitor.produce.websocket import WebSocketTarget
from monitor.progress import ReplayProgress
from monitor.sources.base import SourceError
from monitor.sources.inputs import parse_inputs
from monitor.stories import Story, StoryError, history_story, scenario_story

_LOOK_SECONDS = 1.0
_SLICES_A_SECOND = 10


@app.command(
    epilog="Examples: stress-monitor produce --scenario repo-squeeze --at-once   |   "
    "stress-monitor produce repo=trades.ndjson.gz --to kafka://127.0.0.1:9092 --rate 500   |   "
    "stress-monitor produce --to ws://127.0.0.1:8765   |   "
    "stress-monitor produce --history repo-2018-2025 --from 2019-09-10 --until 2019-09-30 --to out/feed"
)
def produce(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...",
            help="STREAM=PATH, or a folder of files named STREAM.EXT, as `stress-monitor replay` takes them. They go "
            "out as fast as it goes, merged by event time.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="kafka://HOST:PORT, several with commas: each stream to its topic. Or ws://HOST:PORT: a WebSocket "
            "feed is served there, for whoever connects. Or a folder: a file a stream. Or a path that ends in .ndjson "
            "or .jsonl, also with .gz or .zst behind: one file. Default: the brokers of the settings.",
            show_default=False,
        ),
    ] = None,
    scenario: ScenarioFlag = None,
    seed: SeedFlag = None,
    history: HistoryFlag = None,
    first: FirstFlag = None,
    last: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day of the history.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            help="Seconds of event time a second, once the past is out. Default: the story's own; 1 with --now."
        ),
    ] = None,
    rate: Annotated[float | None, typer.Option(help="The most events a second, the past among them.")] = None,
    events_a_message: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_EVENTS_A_MESSAGE, help="Of a partition so many events may be the lines of one message."
        ),
    ] = 1,
    config: ConfigFlag = None,
    *,
    at_once: Annotated[bool, typer.Option("--at-once", help="The story too as fast as it goes.")] = False,
    now: Annotated[
        bool,
        typer.Option(
            "--now",
            help="Move all times, so that the story (of files: the first event) begins now, and all dates by whole "
            "days. Without it they stay as they are. What is then ahead of the clock is refused by a monitor.",
        ),
    ] = False,
) -> None:
    """Publish a scenario, a carried history or files, to Kafka, as a WebSocket feed, or to files.

    Without an input it is the embedded scenario of the settings, made up: its past goes out at once, then its story
    as it happens. Ctrl-C stops it; what was sent by then has arrived. Brokers that go away are waited for: nothing
    is lost, and nothing comes twice. A WebSocket feed begins when its first reader connects,
    numbers its events (`seq`), and closes the connections at its end.
    """
    if sum(map(bool, (inputs, scenario, history))) > 1:
        fail(
            "name inputs, a --scenario or a --history, not several, "
            "for example: stress-monitor produce --scenario calm --at-once"
        )
    if (first or last) and not history:
        fail("--from and --until go with --history")
    if inputs and (speed is not None or at_once or seed is not None):
        fail("--speed, --at-once and --seed are of stories; files go out as fast as it goes, or by --rate")
    if speed is not None and at_once:
        fail("--speed and --at-once exclude each other: at once is as fast as it goes")
    for name, value in (("--speed", speed), ("--rate", rate)):
        if value is not None and not (value > 0 and isfinite(value)):
            fail(f"{name} {value:g}: a finite number above 0 is needed")
    settings = settings_of(config, scenario={"name": scenario, "seed": seed})
    where = to or settings.kafka.url
    if events_a_message > 1 and (_is_served(where) or "://" not in where):
        fail(f"--events-a-message is of Kafka, and --to {where} is none")
    stop = asked_to_stop()
    try:
        story = None if inputs else _story(settings, history, first, last, speed, at_speed_one=now)
        feed = StoryFeed(story, at_once=at_once) if story else _files(inputs or [], rate)
        target = _target(settings, where, events_a_message, stop)
        try:
            if isinstance(target, WebSocketTarget):
                where = target.url
            _say_what(story, inputs, where)
            with ReplayProgress(err) as progress:
                what = story.name if story else "files"
                done = publish(
                    feed,
                    target,
                    stop,
                    rate=rate,
                    now_us=(lambda: wall_time.time_ns() // 1_000) if now else None,
                    on_progress=lambda read, total, _: progress.read(what, read, total),
                )
        finally:
            target.close()
    except (SourceError, StoryError, TargetError, KafkaConnectionError) as error:
        fail(error)
    _tell_summary(done, where)


def _story(
    settings: Settings,
    history: str | None,
    first: datetime | None,
    last: datetime | None,
    speed: float | None,
    *,
    at_speed_one: bool,
) -> Story:
    """What is played; a story that begins now would be ahead of the clock at any speed above 1."""
    by_default = 1.0 if at_speed_one else None
    if history:
        return history_story(history, day(first), day(last), speed or by_default or settings.history.speed)
    chosen = settings.scenario
    return scenario_story(chosen.name, chosen.seed, speed or by_default or chosen.speed)


def _files(inputs: list[str], rate: float | None) -> Feed:
    # Not more at a time than go out within a slice of time: a print goes ahead of the other events of its chunk.
    most = FULL if rate is None else max(1, min(FULL, int(rate / _SLICES_A_SECOND)))
    return FilesFeed(parse_inputs(inputs), most)


def _target(settings: Settings, where: str, events_a_message: int, stop: threading.Event) -> Target:
    if _is_served(where):
        return WebSocketTarget(where, say=_say, stop=stop, stop_within_seconds=settings.run.stop_within_seconds)
    if "://" not in where:
        return FilesTarget(Path(where))
    try:
        connection = settings.kafka.connection(where)
    except ValueError as error:
        raise TargetError(f"--to {error}") from error
    quiet_library_log()
    return KafkaTarget(
        Publisher(connection, wait_seconds=_LOOK_SECONDS, delivery_seconds=GIVEN_UP_SECONDS),
        events_a_message=events_a_message,
        say=_say,
        stop=stop,
        stop_within_seconds=settings.run.stop_within_seconds,
    )


def _is_served(where: str) -> bool:
    return where.startswith(("ws://", "wss://"))


def _say(text: str) -> None:
    err.print(text, markup=False, highlight=False, soft_wrap=True)


def _say_what(story: Story | None, inputs: list[str] | None, where: str) -> None:
    what = f"{story.name}, {story.title}" if story else " ".join(inputs or [])
    _say(f"publishes {what}, to {where}; Ctrl-C stops it")


def _tell_summary(done: Produced, where: str) -> None:
    if done.total:
        table = Table("stream", "events")
        for stream, count in sorted(done.events.items()):
            table.add_row(stream, f"{count:,}")
        err.print(table)
    _say(
        f"{done.total:,} events to {where} in {done.seconds:.1f} s ({done.a_second:,} events a second)"
        + ("; stopped before the end" if done.was_stopped else "")
    )
