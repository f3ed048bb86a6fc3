"""What a new process needs to go on where an earlier one stopped, as frames.

There are two sorts. *Appends* are rows that never change: sealed bars, prints with the ticks at which they took effect,
ids. *States* are wholes of which the newest counts: positions and watermarks of the partitions, the levels and
published values of the evaluator, the scores and joint stress of the index.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.engine.bars import KINDS
from monitor.engine.decode import schema
from monitor.engine.retention import IDS
from monitor.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from monitor.alerts.evaluator import Evaluator
    from monitor.daily import DailyValues
    from monitor.engine.tiers import TierStore
    from monitor.index.stress import StressIndex

FACTS, PARTITIONS, LADDERS = "facts", "partitions", "ladders"
"""States: the pipeline's own, and those of its partitions and ladders."""
RELEASES: Final = "releases"
"""Appends besides the tiers and ids: where partitions were released for being idle."""
_LEVELS: Final = "levels_"
"""The states of the evaluator begin so."""
_INDEX: Final = "index_"
"""Those of the stress index."""

PARTITION_COLUMNS: Final[dict[str, pl.DataType]] = {
    "partition": pl.String(),
    "next_position": pl.Int64(),  # the first that was never seen
    "oldest_open": pl.Int64(),  # from here on the log must be read again
    "watermark_us": pl.Int64(),
    "is_held": pl.Boolean(),  # ticks wait for it
    "generation": pl.Int64(),  # of the owner that seals it in another process; null: it is sealed here
    "is_behind": pl.Boolean(),  # ticks wait for what its owner, in another process, has still to say
}
_FACT_COLUMNS: Final[dict[str, pl.DataType]] = {"ran": pl.Int64(), "newest_us": pl.Int64()}
_LADDER_COLUMNS: Final[dict[str, pl.DataType]] = {"stream": pl.String(), "until": pl.Int64()}
_ID_COLUMNS: Final[dict[str, pl.DataType]] = {
    "partition": pl.String(),
    "stream": pl.String(),
    "id": pl.String(),
    "offset": pl.Int64(),
}
_RELEASE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "partition": pl.String(),
    "next_position": pl.Int64(),  # what comes from here on comes after the release
    "ran": pl.Int64(),  # the newest tick that had run then
}


@dataclass(frozen=True)
class Checkpoint:
    """Frames by name."""

    appends: dict[str, pl.DataFrame]
    states: dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Facts:
    """What the pipeline itself knows.

    Attributes:
        ran: the newest tick that was run.
        newest_us: the newest event time.
        releases: (partition, next position, newest tick run) of partitions released since the last checkpoint.
        behind: the partitions that are sealed in other processes, and of which something older may still come.
    """

    ran: int
    newest_us: int | None
    releases: Sequence[tuple[str, int, int]] = field(default_factory=tuple)
    behind: Collection[str] = field(default_factory=frozenset)


def gather(store: TierStore, evaluator: Evaluator, index: StressIndex, daily: DailyValues, facts: Facts) -> Checkpoint:
    """The state of all stages; of appends, what came since the last time."""
    partitions = store.partitions.values()
    rows = [
        (
            p.name, p.next_position, p.oldest_open, p.watermark.value_us, p.is_held, p.generation,
            p.name in facts.behind,
        )
        for p in partitions
    ]  # fmt: skip
    ids = [
        sealer.take_new_ids().select(partition=pl.lit(p.name), stream=pl.lit(stream), id="id", offset="offset")
        for p in partitions
        for stream, sealer in p.sealers.items()
    ]
    appends = (
        store.take_new()
        | daily.take_new()
        | {
            IDS: pl.concat([pl.DataFrame(schema=_ID_COLUMNS), *ids]),
            RELEASES: pl.DataFrame(list(facts.releases), schema=_RELEASE_COLUMNS, orient="row"),
        }
    )
    states = {
        FACTS: pl.DataFrame([(facts.ran, facts.newest_us)], schema=_FACT_COLUMNS, orient="row"),
        PARTITIONS: pl.DataFrame(rows, schema=PARTITION_COLUMNS, orient="row"),
        LADDERS: pl.DataFrame(
            [(stream, ladder.until) for stream, ladder in store.ladders.items()], schema=_LADDER_COLUMNS, orient="row"
        ),
    }
    states |= {_attributes_of(stream): _attributes(store, stream) for stream in KINDS}
    states |= daily.state()
    states |= {f"{_LEVELS}{name}": frame for name, frame in evaluator.state().items()}
    states |= {f"{_INDEX}{name}": frame for name, frame in index.state().items()}
    return Checkpoint({name: frame for name, frame in appends.items() if frame.height}, states)


def put_back(
    found: Checkpoint, store: TierStore, evaluator: Evaluator, index: StressIndex, daily: DailyValues
) -> Facts:
    """Give every stage its state; the stages are new."""
    states = found.states
    until = dict(states[LADDERS].iter_rows())
    store.restore(found.appends, until)
    for row in states[PARTITIONS].iter_rows(named=True):
        store.partition(row["partition"]).restore(
            row["next_position"], row["oldest_open"], row["watermark_us"],
            is_held=row["is_held"], generation=row["generation"],
        )  # fmt: skip
    ids = found.appends.get(IDS, pl.DataFrame(schema=_ID_COLUMNS))
    for stream in KINDS:
        attributes = states[_attributes_of(stream)]
        its_ids = ids.filter(c("stream") == stream)
        for name in {*attributes["partition"], *its_ids["partition"]}:
            mine = c("partition") == name
            store.partition(name).restore_sealer(
                stream, attributes.filter(mine), its_ids.filter(mine).select("id", "offset")
            )
    evaluator.restore(_of(_LEVELS, states))
    index.restore(_of(_INDEX, states))
    daily.restore(found.appends, states)
    ran, newest_us = states[FACTS].row(0)
    behind = states[PARTITIONS].filter(c("is_behind"))["partition"]
    return Facts(ran, newest_us, behind=frozenset(behind))


def _of(stage: str, states: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The states of a stage, by its own names."""
    return {name.removeprefix(stage): frame for name, frame in states.items() if name.startswith(stage)}


def _attributes_of(stream: str) -> str:
    return f"{stream}_attributes"


def _attributes(store: TierStore, stream: str) -> pl.DataFrame:
    """What the sealed quotes said last of each series, of all partitions."""
    kind, shape = KINDS[stream], schema(STREAMS[stream])
    columns = {"partition": pl.String()} | {name: shape[name] for name in (*kind.series, *kind.attributes)}
    known = [
        p.sealers[stream].attributes.select(pl.lit(p.name).alias("partition"), *list(columns)[1:])
        for p in store.partitions.values()
        if stream in p.sealers
    ]
    return pl.concat([pl.DataFrame(schema=columns), *known])
