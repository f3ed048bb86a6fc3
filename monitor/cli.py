"""The command line: each command teaches by an example, and says what was wrong in a sentence."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time as wall_time
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import structlog
import typer
from prometheus_client import disable_created_metrics
from rich.console import Console
from rich.table import Table

from monitor import __version__, log
from monitor.calendar import MarketCalendar
from monitor.config import ConfigError, Settings, load
from monitor.generate import stale, write_all
from monitor.generate.listing import edge_text, overrides_text, signal_as_data
from monitor.history import HISTORIES, History
from monitor.live import LiveRun
from monitor.pipeline import Pipeline
from monitor.progress import ReplayProgress
from monitor.replay import replay as run_replay
from monitor.report import ReportError, write_report
from monitor.signals import label_names
from monitor.signals.model import Signal
from monitor.sinks.base import SinkError
from monitor.sinks.files import REJECTS_FILE, ReplayFiles
from monitor.sinks.http import HttpServer, metrics_app
from monitor.sinks.log import LogSink
from monitor.sinks.prometheus import MetricOfSignal, PrometheusSink
from monitor.sources.base import Source, SourceError
from monitor.sources.clock import StoryClock
from monitor.sources.inputs import parse_inputs
from monitor.sources.played import PlayedSource
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
    epilog="Example: stress-monitor run --history repo-2018-2025 --from 2020-03-02 --to 2020-03-31 --speed 21600"
)
def run(
    config: ConfigFlag = None,
    history: HistoryFlag = None,
    first: FirstFlag = None,
    last: LastFlag = None,
    speed: Annotated[float | None, typer.Option(help="Seconds of event time a second.")] = None,
) -> None:
    """Run the monitor live.

    Without --config it plays a carried history: September 2019, when overnight repo rates jumped to 9 %. Metrics
    are on http://127.0.0.1:9464/metrics; Ctrl-C stops it.
    """
    flags = {"name": history, "first": _day(first), "last": _day(last), "speed": speed}
    settings = _settings(config, history=flags)
    chosen = HISTORIES[settings.history.name]
    calendar = MarketCalendar(settings.calendar.user_dates())
    signals = settings.catalogue()
    start_us, end_us = _span(chosen, settings.history.first, settings.history.last)
    clock = StoryClock(start_us, end_us, settings.history.speed or chosen.speed, wall_time.monotonic)
    source = PlayedSource(chosen.name, parse_inputs([str(chosen.folder)]), clock)
    disable_created_metrics()
    narrator = LogSink([each.name for each in signals if each.headline], wall_time.monotonic)
    prometheus = PrometheusSink([_metric(each) for each in signals], __version__)
    live = LiveRun(source, clock, Pipeline(signals, calendar), [prometheus, narrator], prometheus)
    server = HttpServer(
        metrics_app(prometheus.registry, live.not_ready_because), settings.http.host, settings.http.metrics_port
    )
    stop = _stop_on_signals()
    try:
        server.start()
        _say_where(f"http://{settings.http.host}:{server.port}", chosen, clock)
        live.run(stop)
    except (SourceError, SinkError) as error:
        _fail(error)
    finally:
        _shut_down(server, source, settings.run.stop_within_seconds)


@app.command(
    epilog="Examples: stress-monitor replay repo=trades.ndjson.gz reference=policy.csv --out out   |   "
    "stress-monitor replay --history repo-2018-2025 --out out"
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
    history: HistoryFlag = None,
    first: FirstFlag = None,
    last: LastFlag = None,
    config: ConfigFlag = None,
    *,
    report: Annotated[bool, typer.Option(help="Also make the page that `stress-monitor report` makes.")] = False,
) -> None:
    """Replay recorded events, as fast as the machine can.

    Writes signals.parquet, alerts.jsonl, rejects.jsonl and summary.json. What does not meet its contract is set
    aside in rejects.jsonl with a reason, and does not stop the replay.
    """
    if bool(inputs) == bool(history):
        _fail("name either inputs or a --history, for example: stress-monitor replay repo=trades.ndjson --out out")
    settings = _settings(config)
    begin: int | None = None
    try:
        if history:
            sources, begin = _history_sources(history, _day(first), _day(last))
        elif first or last:
            _fail("--from and --to go with --history")
        else:
            sources = list(parse_inputs(inputs or []))
        signals = settings.catalogue()
        pipeline = Pipeline(signals, MarketCalendar(settings.calendar.user_dates()))
        files = ReplayFiles(out, pipeline.step_shape, label_names(signals))
        try:
            with ReplayProgress(_err) as progress:
                summary = run_replay(sources, pipeline, [files], progress, begin)
        finally:
            files.close()
        described = summary.as_json() | {"rejects_not_kept": files.rejects_dropped}
        files.write_catalogue([signal_as_data(each) for each in signals])
        files.write_summary(described)
        if report:
            write_report(out)
    except (SourceError, SinkError, ReportError) as error:
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


def _span(history: History, first: date | None, last: date | None) -> tuple[int, int]:
    """When a history's story begins and ends, epoch microseconds: whole New York days."""
    begin = MarketCalendar.at_new_york(first or history.highlight[0], time())
    end = MarketCalendar.at_new_york((last or history.highlight[1]) + timedelta(days=1), time())
    if begin >= end:
        _fail(f"the story would end before it begins: {first or history.highlight[0]} is after {last}")
    return begin * MICROSECONDS_PER_SECOND, end * MICROSECONDS_PER_SECOND - 1


def _history_sources(name: str, first: date | None, last: date | None) -> tuple[list[Source], int | None]:
    """The sources of a history, whole or of some days, and the first tick of its story."""
    if name not in HISTORIES:
        _fail(f"no history is called {name!r}; there is {', '.join(HISTORIES)}")
    history = HISTORIES[name]
    files = parse_inputs([str(history.folder)])
    if first is None and last is None:
        return list(files), None
    start_us, end_us = _span(history, first or history.first, last or history.last + timedelta(days=7))
    # The clock stands at the end: everything up to there is due at once.
    clock = StoryClock(end_us, end_us, 1, wall_time.monotonic)
    return [PlayedSource(name, files, clock)], start_us // MICROSECONDS_PER_SECOND


def _metric(each: Signal) -> MetricOfSignal:
    return MetricOfSignal(
        each.name, each.alert, each.help, each.segment, each.labels, each.headline, bool(each.thresholds)
    )


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _say_where(address: str, history: History, clock: StoryClock) -> None:
    first, last = (
        datetime.fromtimestamp(t / MICROSECONDS_PER_SECOND, UTC).date() for t in (clock.start_us, clock.end_us)
    )
    _err.print(f"[bold]stress-monitor {__version__}[/bold] plays {history.name}, {first} to {last}", highlight=False)
    for path, what in (("/metrics", "signals, levels, thresholds"), ("/-/ready", "whether it is ready")):
        _err.print(f"  {address}{path}  {what}", highlight=False)
    _err.print("Ctrl-C stops it.", highlight=False)


def _shut_down(server: HttpServer, source: Source, within_seconds: float) -> None:
    """Let go of everything within one deadline."""
    deadline = wall_time.monotonic() + within_seconds
    source.close(within_seconds / 2)
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
        ("tells", each.help), ("formula", each.formula), ("labels", ", ".join(each.labels)),
        ("window", each.window_help), ("source", each.source),
    ):  # fmt: skip
        table.add_row(name, text)
    for row in each.thresholds:
        levels = f"warning {edge_text(row.warning)}, critical {edge_text(row.critical)} (enter/exit)"
        flagged = f"; flagged days {overrides_text(row)}" if row.overrides else ""
        table.add_row(row.id, f"{levels}{flagged}; hold {row.hold_in} in, {row.hold_out} out; notify {row.notify}")
    return table
