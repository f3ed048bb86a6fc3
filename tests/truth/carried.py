"""What the monitor says of the real history that it carries, by value date, and what was published of those days."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl
from polars import col as c

from monitor.calendar import MarketCalendar
from monitor.history import HISTORIES
from monitor.pipeline import Pipeline
from monitor.signals import CATALOGUE, label_names
from monitor.sources.inputs import parse_inputs

CALENDAR: Final = MarketCalendar()
LABELS: Final = label_names(CATALOGUE)


class Spell(NamedTuple):
    """Days from first to last, both included, and what they were."""

    first: date
    last: date
    what: str


STRESS: Final = (
    Spell(date(2018, 12, 31), date(2019, 1, 3), "a year end on which balance sheets were short"),
    Spell(
        date(2019, 9, 16), date(2019, 10, 17), "the repo spike, and the weeks of the New York Fed's operations after it"
    ),
    Spell(date(2020, 3, 9), date(2020, 4, 30), "the dash for cash"),
)
"""Days on which an alarm is deserved; everywhere else it is a false one."""

_FSI_FILE: Final = Path(__file__).parents[1] / "data" / "ofr_fsi_daily.csv"


def is_stress(day: pl.Expr) -> pl.Expr:
    """Whether a day lies in one of the stress windows."""
    return pl.any_horizontal(day.is_between(spell.first, spell.last) for spell in STRESS)


@cache
def steps() -> pl.DataFrame:
    """A row a label set and value date, of both carried histories in one replay: what stood of it in the end."""
    pipeline = Pipeline(CATALOGUE, CALENDAR, is_durable=False)
    for history in HISTORIES.values():
        for source in parse_inputs([str(history.folder)]):
            source.open()
            while not source.exhausted:
                batch = source.poll(50_000)
                if batch is not None:
                    assert not any(what.rejects for what in pipeline.ingest(batch))
            source.close(1)
    pipeline.finish()
    every = pl.concat([output.steps for output in pipeline.advance()])
    # In the order of ticks; of the steps of one value date the last one stands.
    return every.unique(["signal", "value_date", *LABELS], keep="last", maintain_order=True).sort(
        "signal", *LABELS, "value_date"
    )


def ofr_fsi() -> pl.DataFrame:
    """The OFR Financial Stress Index and its categories, by `day`."""
    return pl.read_csv(_FSI_FILE, schema_overrides={"date": pl.Date()}).rename({"date": "day"})


def value_of(signal: str, day: date, **labels: str) -> float:
    """What stood of a label set on a day."""
    mine = [c(name) == value for name, value in labels.items()]
    value = steps().filter(c("signal") == signal, c("value_date") == day, *mine)["value"].item()
    assert isinstance(value, float)
    return value
