"""`stress-monitor replay`."""

from __future__ import annotations

import time as wall_time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from monitor.calendar import MarketCalendar
from monitor.cli.common import (
    ConfigFlag,
    FirstFlag,
    HistoryFlag,
    LastFlag,
    ScenarioFlag,
    SeedFlag,
    app,
    day,
    err,
    fail,
    settings_of,
)
from monitor.cli.recorded import recorded_sources
from monitor.config import Settings
from monitor.generate.listing import signal_as_data
from monitor.history import HISTORIES
from monitor.journal import Journal, StateError
from monitor.pipeline import Pipeline
from monitor.progress import ReplayProgress
from monitor.recording.errors import RecordingError
from monitor.replay import replay as run_replay
from monitor.report import ReportError, write_report
from monitor.signals import label_names
from monitor.sinks.base import SYNTHETIC, SinkError
from monitor.sinks.files import REJECTS_FILE, ReplayFiles
from monitor.sources.base import Source, SourceError
from monitor.sources.inputs import parse_inputs
from monitor.stories import Story, StoryError, history_story, scenario_story


@app.command(
    epilog="Examples: stress-monitor replay repo=trades.ndjson.gz reference=policy.csv --out out   |   "
    "stress-monitor replay --scenario treasury-crunch --report --out out   |   "
    "stress-monitor replay --recording var/recording --config monitor.toml --out out"
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
    recording: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="What `stress-monitor record` wrote, with the settings of the run.",
            show_default=False,
        ),
    ] = None,
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
    if sum(map(bool, (inputs, scenario, history, recording))) != 1:
        fail(
            "name either inputs, a --scenario, a --history or a --recording, "
            "for example: stress-monitor replay repo=trades.ndjson --out out"
        )
    if (first or last) and not history:
        fail("--from and --to go with --history")
    settings = settings_of(config)
    calendar = MarketCalendar(settings.calendar.user_dates())
    try:
        story = _story_of_replay(scenario, seed, history, day(first), day(last))
        sources = _sources(story, recording, inputs, history, settings)
        signals = settings.catalogue()
        # A recording is replayed as `run` would have run on what was recorded.
        of_run = settings.run if recording else None
        begin = story.first_tick if story else of_run.first_tick if of_run else None
        pipeline = Pipeline(signals, calendar, begin=begin, is_durable=state is not None)
        with ExitStack() as stack:
            journal = _journal_of_replay(state, story, pipeline, calendar, stack)
            synthetic = story.name if story and story.is_synthetic else None
            if of_run and of_run.synthetic:
                synthetic = str(recording)
            files = ReplayFiles(out, pipeline.step_shape, label_names(signals), synthetic=synthetic)
            stack.callback(files.close)
            progress = stack.enter_context(ReplayProgress(err))
            summary = run_replay(
                sources,
                pipeline,
                [files, journal] if journal else [files],
                progress,
                after_each=(lambda: journal.commit(story.end_us if story else None)) if journal else None,
                is_recording=recording is not None,
            )
        described = summary.as_json() | {"rejects_not_kept": files.rejects_dropped}
        if story:
            described |= {"story": story.title, SYNTHETIC: story.is_synthetic}
        elif synthetic:
            described |= {SYNTHETIC: True}
        files.write_catalogue([signal_as_data(each) for each in signals])
        files.write_summary(described)
        if report:
            write_report(out)
    except (SourceError, SinkError, ReportError, RecordingError, StoryError, StateError) as error:
        fail(error)
    _tell_summary(described, out)


def _sources(
    story: Story | None, recording: Path | None, inputs: list[str] | None, history: str | None, settings: Settings
) -> Sequence[Source]:
    """What is read, not opened yet."""
    if story:
        return [story.all_at_once()]
    if recording:
        return recorded_sources(recording, settings)
    return parse_inputs(inputs or [_history_folder(history or "")])


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
    err.print(table)
    err.print(
        f"{summary['signal_rows']:,} signal rows and {summary['transitions']:,} alert transitions in "
        f"{summary['wall_seconds']:.1f} s ({summary['events_per_second']:,} events a second), in {out}/",
        highlight=False,
    )
    if rejected:
        err.print(
            f"{rejected:,} events were refused: {out / REJECTS_FILE} says why, each with its bytes", highlight=False
        )
