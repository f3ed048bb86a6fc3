"""The command line: each command teaches by an example, and says what was wrong in a sentence."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time as wall_time
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Any, NoReturn
from zoneinfo import ZoneInfo

import structlog
import typer
from prometheus_client import disable_created_metrics
from rich.console import Console
from rich.table import Table

from monitor import __version__, log
from monitor.calendar import NEW_YORK, MarketCalendar
from monitor.config import ConfigError, FileSourceSettings, Settings, load
from monitor.generate import stale, write_all
from monitor.generate.listing import edge_text, overrides_text, signal_as_data
from monitor.history import HISTORIES
from monitor.journal import Journal, StateError
from monitor.live import LiveRun
from monitor.pipeline import Pipeline
from monitor.progress import ReplayProgress
from monitor.replay import replay as run_replay
from monitor.report import ReportError, write_report
from monitor.signals import label_names
from monitor.signals.model import Signal
from monitor.sinks.base import SYNTHETIC, SinkError
from monitor.sinks.files import REJECTS_FILE, ReplayFiles
from monitor.sinks.http import HttpServer, metrics_app
from monitor.sinks.log import LogSink
from monitor.sinks.prometheus import MetricOfSignal, PrometheusSink
from monitor.sources.base import SourceError
from monitor.sources.clock import StoryClock
from monitor.sources.file import FileSource
from monitor.sources.inputs import parse_inputs
from monitor.sources.scenario import SCENARIOS
from monitor.sources.supervisor import Feed, Supervisor, SupervisorSettings
from monitor.stories import SCENARIO_KIND, Story, StoryError, history_story, scenario_story
from monitor.streams import MICROSECONDS_PER_SECOND

app = typer.Typer(
    name="stress-monitor",
    help="Watches US Treasury, repo and credit markets for liquidity stress.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
)
_out = Console()
_err = Console(stderr=True)
_log = structlog.get_logger(__name__)

USAGE_ERROR = 2


def main() -> NoReturn:
    """The console script."""
    app()
    raise SystemExit(0)


def _fail(message: object) -> NoReturn:
    _err.print(f"stress-monitor: {message}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(USAGE_ERROR)


def _settings(config: Path | None, **flags: dict[str, Any]) -> Settings:
    given = {section: {k: v for k, v in values.items() if v is not None} for section, values in flags.items()}
    try:
        settings = load(config, {section: values for section, values in given.items() if values})
    except ConfigError as error:
        _fail(error)
    log.configure(settings.log.level, settings.log.format)
    return settings


ConfigFlag = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.", show_default=False)]
HistoryFlag = Annotated[
    str | None, typer.Option("--history", help="A carried history: `stress-monitor history` lists them.")
]
ScenarioFlag = Annotated[
    str | None,
    typer.Option("--scenario", help=f"An embedded scenario, made up: {', '.join(SCENARIOS)}."),
]
SeedFlag = Annotated[int | None, typer.Option("--seed", help="Of a scenario: other noise.")]
StateFlag = Annotated[
    Path | None,
    typer.Option("--state", help="Folder of the durable state: a new start goes on from it.", show_default=False),
]
FirstFlag = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; earlier days are its past.")
]
LastFlag = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")]


def _print_version(asked: bool) -> None:
    if asked:
        _out.print(__version__)
        raise typer.Exit


@app.callback()
def _common(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Watches US Treasury, repo and credit markets for liquidity stress."""


@app.command(
    epilog="Examples: stress-monitor run --scenario repo-squeeze --speed 120 --state var/state   |   "
    "stress-monitor run --history repo-2018-2025 --from 2020-03-02 --to 2020-03-31 --speed 21600"
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
        _fail("name a --scenario or a --history, not both")
    plays = "history" if history else "scenario" if scenario else None
    settings = _settings(
        config,
        scenario={"name": scenario, "seed": seed, "speed": None if history else speed},
        history={"name": history, "first": _day(first), "last": _day(last), "speed": speed if history else None},
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
        begin = story.first_tick if story else None
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
        _fail(error)
    stop = _Stop()
    try:
        server.start()
        _say_where(f"http://{settings.http.host}:{server.port}", story, clock, goes_on=has_state)
        live.run(stop.asked)
    except SinkError as error:
        _fail(error)
    finally:
        _shut_down(server, supervisor, settings.run.stop_within_seconds)
        if journal is not None:
            if story and stop.by_hand:
                journal.discard()
            journal.close()


@app.command(
    epilog="Examples: stress-monitor replay repo=trades.ndjson.gz reference=policy.csv --out out   |   "
    "stress-monitor replay --scenario treasury-crunch --report --out out"
)
def replay(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...",
            help="STREAM=PATH (treasury, repo, newissue, cds, reference; .ndjson, .jsonl, .csv, also .gz or .zst, "
            "or .parquet; - is standard input), or a folder of files named STREAM.EXT.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for what it writes.")] = Path("out"),
    scenario: ScenarioFlag = None,
    seed: SeedFlag = None,
    history: HistoryFlag = None,
    first: FirstFlag = None,
    last: LastFlag = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Leave the state that `run --state` goes on from; a new folder.", show_default=False),
    ] = None,
    config: ConfigFlag = None,
    *,
    report: Annotated[bool, typer.Option(help="Also make the page that `stress-monitor report` makes.")] = False,
) -> None:
    """Replay recorded events, as fast as the machine can.

    Writes signals.parquet, alerts.jsonl, rejects.jsonl and summary.json. What does not meet its contract is set
    aside in rejects.jsonl with a reason, and does not stop the replay.
    """
    if sum(map(bool, (inputs, scenario, history))) != 1:
        _fail(
            "name either inputs, a --scenario or a --history, "
            "for example: stress-monitor replay repo=trades.ndjson --out out"
        )
    if (first or last) and not history:
        _fail("--from and --to go with --history")
    settings = _settings(config)
    calendar = MarketCalendar(settings.calendar.user_dates())
    try:
        story = _story_of_replay(scenario, seed, history, _day(first), _day(last))
        sources = [story.all_at_once()] if story else list(parse_inputs(inputs or [_history_folder(history or "")]))
        signals = settings.catalogue()
        begin = story.first_tick if story else None
        pipeline = Pipeline(signals, calendar, begin=begin, is_durable=state is not None)
        with ExitStack() as stack:
            journal = _journal_of_replay(state, story, pipeline, calendar, stack)
            synthetic = story.name if story and story.is_synthetic else None
            files = ReplayFiles(out, pipeline.step_shape, label_names(signals), synthetic=synthetic)
            stack.callback(files.close)
            progress = stack.enter_context(ReplayProgress(_err))
            summary = run_replay(
                sources,
                pipeline,
                [files, journal] if journal else [files],
                progress,
                after_each=(lambda: journal.commit(story.end_us if story else None)) if journal else None,
            )
        described = summary.as_json() | {"rejects_not_kept": files.rejects_dropped}
        if story:
            described |= {"story": story.title, SYNTHETIC: story.is_synthetic}
        files.write_catalogue([signal_as_data(each) for each in signals])
        files.write_summary(described)
        if report:
            write_report(out)
    except (SourceError, SinkError, ReportError, StoryError, StateError) as error:
        _fail(error)
    _tell_summary(described, out)


@app.command(name="report", epilog="Example: stress-monitor report out")
def report_(folder: Annotated[Path, typer.Argument(help="What a replay wrote.")]) -> None:
    """Make one self-contained HTML page of a replay: its signals with thresholds, and its alerts, on a time axis."""
    try:
        sys.stdout.write(f"{write_report(folder)}\n")
    except ReportError as error:
        _fail(error)


@app.command(epilog="Example: stress-monitor signals --json | jq '.[].name'")
def signals(
    config: ConfigFlag = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List the signals: name, unit, labels, window, thresholds, formula, source."""
    catalogue = _settings(config).catalogue()
    if as_json:
        sys.stdout.write(json.dumps([signal_as_data(each) for each in catalogue], indent=2) + "\n")
        return
    for each in catalogue:
        _out.print(_signal_table(each))


@app.command(epilog="Example: stress-monitor history; then stress-monitor replay --history repo-2018-2025 --out out")
def history() -> None:
    """List the real histories that the package carries."""
    table = Table("name", "first day", "last day", "what it is")
    for each in HISTORIES.values():
        table.add_row(each.name, str(each.first), str(each.last), each.title)
    _out.print(table)


@app.command(epilog="Example: stress-monitor check-config monitor.toml")
def check_config(file: Annotated[Path, typer.Argument(help="A TOML file of settings.")]) -> None:
    """Say what is wrong with a settings file, by line and field, or print the settings in force."""
    settings = _settings(file)
    sys.stdout.write(settings.model_dump_json(indent=2) + "\n")


@app.command(epilog="Example: stress-monitor generate --check")
def generate(
    root: Annotated[Path, typer.Option(help="The project's root.")] = Path(),
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if a file is not current.")] = False,
) -> None:
    """Write the files that are generated from the catalogue: the docs' tables."""
    if check:
        old = stale(root)
        for name in old:
            _err.print(f"{name} is not current: run `make generate`", highlight=False)
        raise typer.Exit(1 if old else 0)
    for path in write_all(root):
        sys.stdout.write(f"{path}\n")


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _story(settings: Settings) -> Story:
    if settings.run.plays == SCENARIO_KIND:
        return scenario_story(settings.scenario.name, settings.scenario.seed, settings.scenario.speed)
    chosen = settings.history
    return history_story(chosen.name, chosen.first, chosen.last, chosen.speed)


def _story_of_replay(
    scenario: str | None, seed: int | None, history: str | None, first: date | None, last: date | None
) -> Story | None:
    """What a replay plays; None if it reads its inputs, or a whole history, as they are."""
    if scenario:
        return scenario_story(scenario, seed)
    if history is None or not (first or last):
        return None
    if history in HISTORIES:
        first = first or HISTORIES[history].first
        # Prints come the days after; without an end the last of them shall be in.
        last = last or HISTORIES[history].last + timedelta(days=7)
    return history_story(history, first, last)


def _feed_of_story(story: Story, clock: StoryClock) -> Feed:
    return Feed(story.name, story.kind, lambda: story.make(clock))


def _feeds(settings: Settings) -> list[Feed]:
    def feed(name: str, each: FileSourceSettings) -> Feed:
        return Feed(name, each.kind, lambda: FileSource(each.path, each.stream, name))

    return [feed(name, each) for name, each in settings.sources.items()]


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


def _journal_of_replay(
    folder: Path | None, story: Story | None, pipeline: Pipeline, calendar: MarketCalendar, stack: ExitStack
) -> Journal | None:
    """The state that a replay leaves; closed by the stack."""
    if folder is None:
        return None
    identity = story.identity if story else ""
    journal = Journal(folder, pipeline, calendar, identity=identity, wall=wall_time.monotonic)
    stack.callback(journal.close)
    if journal.open():
        raise StateError(f"{folder} holds a state already: name a new folder, or remove it")
    return journal


def _history_folder(name: str) -> str:
    if name not in HISTORIES:
        raise StoryError(f"no history is called {name!r}; there is {', '.join(HISTORIES)}")
    return str(HISTORIES[name].folder)


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
    _err.print(f"[bold]stress-monitor {__version__}[/bold] {what}", highlight=False)
    if story:
        _err.print(f"  {story.title}", highlight=False)
    for path, shown in (("/metrics", "signals, levels, thresholds"), ("/-/ready", "whether it is ready")):
        _err.print(f"  {address}{path}  {shown}", highlight=False)
    _err.print("Ctrl-C stops it.", highlight=False)


def _shut_down(server: HttpServer, supervisor: Supervisor, within_seconds: float) -> None:
    """Let go of everything within one deadline."""
    deadline = wall_time.monotonic() + within_seconds
    supervisor.stop(deadline - within_seconds / 2)
    server.stop(max(0.1, deadline - wall_time.monotonic()))
    _log.info("stopped")


def _tell_summary(summary: dict[str, Any], out: Path) -> None:
    rejected = sum(sum(reasons.values()) for reasons in summary["rejects"].values())
    table = Table("stream", "events", "refused", "late", title=f"{summary['first_event']} to {summary['last_event']}")
    for stream in sorted(set(summary["events"]) | set(summary["rejects"])):
        table.add_row(
            stream,
            f"{summary['events'].get(stream, 0):,}",
            f"{sum(summary['rejects'].get(stream, {}).values()):,}",
            f"{summary['late'].get(stream, 0):,}",
        )
    _err.print(table)
    _err.print(
        f"{summary['signal_rows']:,} signal rows and {summary['transitions']:,} alert transitions in "
        f"{summary['wall_seconds']:.1f} s ({summary['events_per_second']:,} events a second), in {out}/",
        highlight=False,
    )
    if rejected:
        _err.print(
            f"{rejected:,} events were refused: {out / REJECTS_FILE} says why, each with its bytes", highlight=False
        )


def _signal_table(each: Signal) -> Table:
    table = Table(title=f"{each.name}  ({each.unit})", title_justify="left", show_header=False, width=110)
    table.add_column(style="bold", width=10)
    table.add_column()
    for name, text in (
        ("tells", each.help), ("formula", each.formula), ("labels", ", ".join(each.labels) or "none"),
        ("window", each.window_help), ("source", each.source),
    ):  # fmt: skip
        table.add_row(name, text)
    for row in each.thresholds:
        levels = f"warning {edge_text(row.warning)}, critical {edge_text(row.critical)} (enter/exit)"
        flagged = f"; flagged days {overrides_text(row)}" if row.overrides else ""
        table.add_row(row.id, f"{levels}{flagged}; hold {row.hold_in} in, {row.hold_out} out; notify {row.notify}")
    return table
