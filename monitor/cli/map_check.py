"""`stress-monitor map-check`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any

import typer

from monitor.cli.common import ConfigFlag, app, fail, settings_of
from monitor.cli.mapped_lines import DROPPED, EVENT, NOTHING, REFUSED, LineOutcome, outcomes
from monitor.config import Settings
from monitor.mapping import Mapper
from monitor.mapping.words import near
from monitor.sources.base import SourceError
from monitor.sources.blocks import BLOCK_BYTES, Blocks, check_is_file
from monitor.sources.file import STDIN
from monitor.sources.lines import LineReader
from monitor.sources.messages import cut
from monitor.sources.websocket.frames import payloads_of
from monitor.streams import MAX_LINE_BYTES

_AT_ONCE = 1_000
_PACKINGS = (".gz", ".zst")
_FIELD_INDENT = " " * 4


@app.command(
    name="map-check",
    epilog="Examples: stress-monitor map-check dealer deploy/mappings/dealer.sample.ndjson --config "
    "deploy/mappings/dealer.toml   |   zstdcat frames.zst | stress-monitor map-check dealer - --config monitor.toml "
    "--json | jq 'select(.outcome==\"refused\")'",
)
def map_check(
    feed: Annotated[str, typer.Argument(help="A source of the settings that has a mapping, or a mapping.")],
    sample: Annotated[
        str, typer.Argument(help="A file of messages as they came, one a line, also .gz or .zst; - is standard input.")
    ],
    config: ConfigFlag = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: an object a line, a summary last.")] = False,
) -> None:
    """Show line by line what a mapping makes of a sample: an event, nothing by a rule, or a refusal and why.

    The values are those that the monitor counts with, in their units. The exit code is 1 if anything was refused.
    """
    settings = settings_of(config)
    mapper, taken_apart = _chosen(settings, feed)
    counts: Counter[tuple[str, str]] = Counter()
    lines = 0
    try:
        reading = enumerate(_lines(sample), start=1)
        while some := list(islice(reading, _AT_ONCE)):
            lines += len(some)
            for each in outcomes(some, mapper, taken_apart):
                counts[each.outcome, each.stream if each.outcome == EVENT else each.reason] += 1
                sys.stdout.write(json.dumps(_as_data(each)) + "\n" if as_json else _as_text(each))
    except (SourceError, OSError) as error:
        fail(error)
    if not lines:
        fail(f"{sample} is empty: a message a line is wanted, as the feed sends them")
    summary = _summary(lines, counts)
    sys.stdout.write(json.dumps({"summary": summary}) + "\n" if as_json else _summary_text(summary))
    raise typer.Exit(1 if summary[REFUSED] else 0)


def _chosen(settings: Settings, feed: str) -> tuple[Mapper, Callable[[bytes], Sequence[bytes]]]:
    """The mapping that a feed names, and how its source takes a message apart."""
    mapper = settings.mapper(feed)
    if mapper is not None:
        return mapper, payloads_of if settings.sources[feed].kind == "websocket" else _as_it_is
    if feed not in settings.mappings:
        fail(_why_not(settings, feed))
    return settings.mappings[feed].mapper(), _as_it_is


def _why_not(settings: Settings, feed: str) -> str:
    if feed in settings.sources:
        return f"the source {feed} names no mapping: its events are ours already"
    if not settings.mappings:
        return (
            "the settings have no mapping: name a file that has one, for example: stress-monitor map-check dealer "
            "deploy/mappings/dealer.sample.ndjson --config deploy/mappings/dealer.toml"
        )
    mapped = [name for name, each in settings.sources.items() if each.mapping]
    return f"there is no feed and no mapping {feed}: {near(feed, {*mapped, *settings.mappings})}"


def _as_it_is(message: bytes) -> Sequence[bytes]:
    return (message,)


def _lines(sample: str) -> Iterator[bytes]:
    if sample == STDIN:
        for line in sys.stdin.buffer:
            yield from cut([line.removesuffix(b"\n")])
        return
    check_is_file(sample)
    packing = next((each for each in _PACKINGS if sample.lower().endswith(each)), "")
    reader = LineReader(Blocks(sample, packing, BLOCK_BYTES), MAX_LINE_BYTES)
    try:
        while not reader.exhausted:
            yield from reader.read(_AT_ONCE)[1]
    finally:
        reader.close(1.0)


def _as_data(each: LineOutcome) -> dict[str, Any]:
    told: dict[str, Any] = {"line": each.line, "outcome": each.outcome}
    if each.stream:
        told["stream"] = each.stream
    if each.outcome == EVENT:
        units = {name: unit for name, (_, unit) in each.fields.items() if unit}
        return told | {"fields": {name: value for name, (value, _) in each.fields.items()}, "units": units}
    if each.outcome == NOTHING:
        return told
    if each.outcome == DROPPED:
        return told | {"rule": each.why}
    return told | {"reason": each.reason, "detail": each.why}


def _as_text(each: LineOutcome) -> str:
    if each.outcome == NOTHING:
        return f"line {each.line}: holds no event\n"
    if each.outcome == DROPPED:
        return f"line {each.line}: dropped by {each.why}\n"
    if each.outcome == REFUSED:
        return f"line {each.line}: REFUSED, {each.reason}: {each.why}\n"
    width = max(map(len, each.fields), default=0)
    rows = [f"{_FIELD_INDENT}{name:<{width}}  {_shown(*said)}\n" for name, said in each.fields.items()]
    return f"line {each.line}: {each.stream}\n" + "".join(rows)


def _shown(value: object, unit: str) -> str:
    text = json.dumps(value) if isinstance(value, bool | list) else str(value)
    return f"{text} {unit}".rstrip()


def _summary(lines: int, counts: Counter[tuple[str, str]]) -> dict[str, Any]:
    events = {stream: count for (outcome, stream), count in sorted(counts.items()) if outcome == EVENT}
    reasons = {reason: count for (outcome, reason), count in sorted(counts.items()) if outcome == REFUSED}
    return {
        "lines": lines, "events": events, DROPPED: counts[DROPPED, ""], REFUSED: sum(reasons.values()),
        "reasons": reasons,
    }  # fmt: skip


def _summary_text(summary: dict[str, Any]) -> str:
    events = ", ".join(f"{count:,} of {stream}" for stream, count in summary["events"].items()) or "none"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in summary["reasons"].items())
    lines = f"{summary['lines']:,} line" + "s" * (summary["lines"] != 1)
    refused = f"{summary[REFUSED]:,} refused" + (f" ({reasons})" if reasons else "")
    return f"{lines}: events {events}; {summary[DROPPED]:,} dropped; {refused}\n"
