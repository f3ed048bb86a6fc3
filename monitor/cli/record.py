"""`stress-monitor record`."""

from __future__ import annotations

import time as wall_time
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.table import Table

from monitor.cli.assembly import feeds_as_they_come
from monitor.cli.common import ConfigFlag, app, err, fail, out, settings_of
from monitor.cli.stopping import asked_to_stop
from monitor.config import Settings
from monitor.progress import ReplayProgress
from monitor.recording.errors import RecordingError
from monitor.recording.folder import Listing, existing_files, listing_of
from monitor.recording.run import Recorded
from monitor.recording.run import record as run_record
from monitor.recording.writer import RecordingWriter
from monitor.sources.file import STDIN
from monitor.sources.supervisor import SourceState, Supervisor, SupervisorSettings
from monitor.streams import MICROSECONDS_PER_SECOND

_MEGABYTE = 1e6


@app.command(
    epilog="Examples: stress-monitor record --config monitor.toml --out var/recording   |   "
    "stress-monitor record --config monitor.toml --out var/recording --for 3600   |   "
    "stress-monitor record --show var/recording; then stress-monitor replay --recording var/recording"
)
def record(
    out_: Annotated[Path, typer.Option("--out", help="Folder of the recording; one that is there is gone on with.")] = (
        Path("recording")
    ),
    for_seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="How long. Default: until it is stopped.")
    ] = None,
    sync_seconds: Annotated[
        float, typer.Option(help="What came is on the disk within so long: a kill loses no more.")
    ] = 1.0,
    show: Annotated[
        Path | None, typer.Option("--show", metavar="FOLDER", help="List what a recording holds, and record nothing.")
    ] = None,
    config: ConfigFlag = None,
) -> None:
    """Record what the [sources] of the settings bring, as it comes, before any mapping.

    Each payload is written with its partition, its position and its moment of arrival. `zstdcat` shows the files,
    `stress-monitor replay --recording` raises the alerts again. Ctrl-C or SIGTERM ends it; what it had taken in is
    written. A new start goes on behind what the folder holds.
    """
    if show is not None:
        _show(show)
        return
    for name, value in (("--for", for_seconds), ("--sync-seconds", sync_seconds)):
        if value is not None and not (value > 0 and isfinite(value)):
            fail(f"{name} {value:g}: a finite number above 0 is needed")
    settings = settings_of(config)
    if not settings.sources:
        fail(
            "there is nothing to record: name settings with a [sources.NAME] section, "
            "for example: stress-monitor record --config deploy/monitor.kafka.toml --out var/recording"
        )
    kinds = {name: each.kind for name, each in settings.sources.items()}
    stop = asked_to_stop()
    try:
        writer = RecordingWriter(out_, kinds, _wall_us)
    except RecordingError as error:
        fail(error)
    if writer.positions.get(STDIN, 0) > 1:
        fail(f"standard input cannot be gone on with, and {out_}/ holds some of it: name a new folder by --out")
    connected: set[str] = set()
    err.print(f"records {', '.join(kinds)}, into {out_}/; Ctrl-C stops it", markup=False, highlight=False)
    with ReplayProgress(err) as progress:
        done = run_record(
            _supervisor(settings, writer.positions, connected),
            kinds,
            writer,
            stop,
            sync_seconds=sync_seconds,
            for_seconds=for_seconds,
            stop_within_seconds=settings.run.stop_within_seconds / 2,
            on_progress=lambda each: progress.noted("recording", _told(each)),
        )
    err.print(f"{_told(done)}, in {done.seconds:.1f} s, in {out_}/", markup=False, highlight=False)
    if done.lost:
        fail(
            f"{done.lost:,} events came and were not written, for the disk took no more: make room. A new start "
            "records those of Kafka and of files; those of WebSocket feeds are lost"
        )
    if never := sorted(kinds.keys() - connected):
        fail(f"{', '.join(never)} could not be read at all: the log says why")


def _supervisor(settings: Settings, positions: dict[str, int], connected: set[str]) -> Supervisor:
    def on_state(feed: str, _kind: str, state: SourceState) -> None:
        if state in (SourceState.UP, SourceState.ENDED):
            connected.add(feed)

    return Supervisor(
        feeds_as_they_come(settings),
        positions,
        unseen=positions,
        settings=SupervisorSettings(**settings.supervisor.model_dump()),
        on_state=on_state,
        wall_us=_wall_us,
        random=Random(),  # noqa: S311 - the jitter of waits
    )


def _wall_us() -> int:
    return wall_time.time_ns() // 1_000


def _told(done: Recorded) -> str:
    lost = f", {done.lost:,} lost" if done.lost else ""
    return f"{done.events:,} events ({done.a_second:,} a second), {done.written_bytes / _MEGABYTE:,.1f} MB packed{lost}"


def _show(folder: Path) -> None:
    try:
        with ReplayProgress(err) as progress:
            listing = listing_of(existing_files(folder), lambda done, total: progress.read(str(folder), done, total))
    except RecordingError as error:
        fail(error)
    _print(listing, folder)


def _print(listing: Listing, folder: Path) -> None:
    files = f"{listing.files} file" + "s" * (listing.files != 1)
    table = Table("source", "kind", "partition", "from", "until", "events", title=f"{folder}: {files}")
    for name, held in sorted(listing.partitions.items(), key=lambda item: (item[1].source, item[0])):
        table.add_row(held.source, held.kind, name, _moment(held.first_us), _moment(held.last_us), f"{held.count:,}")
    out.print(table)


def _moment(us: int) -> str:
    return f"{datetime.fromtimestamp(us / MICROSECONDS_PER_SECOND, UTC):%Y-%m-%d %H:%M:%S}Z"
