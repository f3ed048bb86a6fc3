"""`stress-monitor redrive`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from monitor.cli.common import ConfigFlag, app, err, fail, settings_of
from monitor.config import Settings
from monitor.kafka.connection import KafkaConnection, KafkaConnectionError, quiet_library_log
from monitor.redrive.origin import NOTES_SUFFIX, KeptFile, KeptTopics, Origin, RedriveError
from monitor.redrive.run import Redriven
from monitor.redrive.run import redrive as put_back
from monitor.redrive.selection import Selection
from monitor.redrive.target import Folder, Target, Topics
from monitor.streams import MICROSECONDS_PER_SECOND, Reason

_SHOWN_BYTES = 100


@app.command(
    epilog="Examples: stress-monitor redrive --topic treasury.quotes.rejects --reason timestamp_unit --dry-run   |   "
    "stress-monitor redrive --topic repo.rates.rejects --partition repo.rates/3 --offsets 1200-1300   |   "
    "stress-monitor redrive var/state/rejects.jsonl --stream repo --to kafka://127.0.0.1:9092"
)
def redrive(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A rejects.jsonl, of a run or of a replay.", show_default=False),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", help="kafka://HOST:PORT of the rejects topics. Default: kafka.url of the settings."),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(help="A rejects topic, for example treasury.quotes.rejects; may be repeated.", show_default=False),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="kafka://HOST:PORT, or a new folder, to try a replay with: it then gets a file a stream, and nothing "
            "counts as put back. Default: the brokers of --from.",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[
        list[str] | None, typer.Option(help="Only of this reason; may be repeated.", show_default=False)
    ] = None,
    stream: Annotated[
        list[str] | None, typer.Option(help="Only of this stream; may be repeated.", show_default=False)
    ] = None,
    partition: Annotated[
        str | None, typer.Option(help="Only from here: treasury.quotes/3, or a file's path.", show_default=False)
    ] = None,
    offsets: Annotated[
        str | None, typer.Option(help="Only these offsets of --partition: 1200-1300, or 1207.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only refused since then: 2026-06-12T08:30:00-04:00.", show_default=False),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only refused before then.", show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many at most, the first.", show_default=False)] = None,
    config: ConfigFlag = None,
    *,
    again: Annotated[bool, typer.Option("--again", help="Also what an earlier run put back.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Put nothing back: count, and show a few.")] = False,
) -> None:
    """Put refused events back to the topics that they came from, with the bytes as they came.

    Correct what made the monitor refuse them first: nothing is changed in them, and what is still wrong is refused
    again. It reads up to where the rejects end when it starts, puts each event back once, to its own partition, with a
    header `redriven` that counts how often this was done with these bytes, and ends.

    What was put back is noted one by one: in the rejects topic, by messages with a header `put_back`; of a FILE, in
    FILE.put-back beside it. So a second run passes over what an earlier one put back, and only over that, whatever
    was selected. Only a run that is killed may put up to 500 events back without having noted it.
    """
    if (file is None) == (not topic):
        fail(
            "name either a FILE or a rejects --topic, "
            "for example: stress-monitor redrive --topic treasury.quotes.rejects --dry-run"
        )
    if file is not None and from_ is not None:
        fail("--from goes with --topic; a FILE is read from here")
    if offsets is not None and partition is None:
        fail("--offsets are of a --partition: name both")
    if unknown := set(reason or ()) - set(Reason):
        fail(f"there is no reason {unknown.pop()}: docs/streams.md lists them")
    settings = settings_of(config)
    selection = Selection(
        reasons=frozenset(reason or ()),
        streams=frozenset(stream or ()),
        partition=partition,
        offsets=_range(offsets),
        since_us=_moment("--since", since),
        until_us=_moment("--until", until),
    )
    quiet_library_log()
    done = Redriven()
    try:
        with ExitStack() as stack:
            origin = _origin(settings, file, from_, topic or ())
            stack.callback(origin.close)
            target = _target(settings, to, from_)
            stack.callback(target.close)
            done = put_back(origin, target, selection, limit=limit, again=again, is_dry=dry_run)
    except RedriveError as error:
        fail(error)
    except KafkaConnectionError as error:
        fail(f"{error}; what was put back by then is noted, and another run passes over it")
    _tell(done, to, is_dry=dry_run)


def _origin(settings: Settings, file: Path | None, url: str | None, topics: Sequence[str]) -> Origin:
    if file is not None:
        if file.name.endswith(NOTES_SUFFIX):
            fail(f"{file} says what was put back; name {file.name.removesuffix(NOTES_SUFFIX)}")
        return KeptFile(file)
    return KeptTopics(_connection(settings, url), list(dict.fromkeys(topics)))


def _target(settings: Settings, to: str | None, from_: str | None) -> Target:
    if to is not None and "://" not in to:
        return Folder(Path(to))
    return Topics(_connection(settings, to or from_))


def _connection(settings: Settings, url: str | None) -> KafkaConnection:
    try:
        return settings.kafka.connection(url)
    except ValueError as error:
        fail(error)


def _range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        fail(f"--offsets {text}: it is written as 1200-1300, or 1207")
    return int(first), int(last) if dash else int(first)


def _moment(flag: str, text: str | None) -> int | None:
    """Epoch microseconds of a moment."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{flag} {text}: it is written as 2026-06-12T08:30:00-04:00")
    if moment.tzinfo is None:
        fail(f"{flag} {text}: it has no offset; it is written as 2026-06-12T08:30:00-04:00")
    return round(moment.timestamp() * MICROSECONDS_PER_SECOND)


def _tell(done: Redriven, to: str | None, *, is_dry: bool) -> None:
    does = "would be put back" if is_dry else "were put back"
    if done.put:
        table = Table("reason", "topic", does)
        for (reason, topic), count in sorted(done.put.items()):
            table.add_row(reason, topic or "none", f"{count:,}")
        err.print(table)
    for each in done.examples if is_dry else ():
        raw = repr(each.raw[:_SHOWN_BYTES])[2:-1]  # nothing in it moves the cursor
        _say(f"{each.place}:{each.offset} {each.reason}: {each.detail}")
        _say(f"  {raw}{'...' if len(each.raw) > _SHOWN_BYTES else ''}")
    _say(f"{done.put.total():,} events {does} {f'to {to}' if to else 'to where they came from'}")
    for count, what in (
        (done.again, "of them not for the first time: they were put back before, and refused again"),
        (done.earlier, "were put back by an earlier run, and are passed over (--again takes them too)"),
        (done.doubles, "were kept twice"),
        *((count, f"cannot be put back: {why}") for why, count in done.refused.items()),
        (done.unselected, "were not selected"),
        (done.broken, "lines or messages are of no refused event"),
    ):
        if count:
            _say(f"{count:,} {what}")


def _say(text: str) -> None:
    err.print(text, markup=False, highlight=False, soft_wrap=True)
