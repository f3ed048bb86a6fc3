"""The composite of the carried history by value date: SOFR, Treasury and OFR values of a day together.

The segments are made here a second time, in plain Python from their definition; the composite is the monitor's own.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.index.composite import daily
from monitor.index.scores import ANCHORS, score_of
from monitor.results import SEGMENTS, Level
from monitor.signals import CATALOGUE
from tests.truth.carried import CALENDAR, LABELS, ofr_fsi, steps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

STAND_IN: Final = dict(zip(ANCHORS, (0.1, 0.8, 1.43), strict=True))
"""Of the OFR's credit category: where it scores 0, a warning and a critical value."""
UNSEEN: Final = ("newissue", "cds", "credit")
"""The segments of which no history is carried."""


def headline_score(scores: Sequence[float]) -> float:
    """The mean of the worst fourth of label sets, at least of one."""
    worst = sorted(scores, reverse=True)[: -(-len(scores) // 4)]
    return sum(worst) / len(worst)


def segment_score(headlines: Sequence[float]) -> float:
    """Half the worst headline, half their mean."""
    return 0.5 * max(headlines) + 0.5 * sum(headlines) / len(headlines)


@cache
def segments() -> pl.DataFrame:
    """`day`, a column a segment (null: absent) and `is_critical`; what is blind or blank holds its score for a day."""
    headline_of = {
        (signal.name, row.id): (signal.segment, row.headline)
        for signal in CATALOGUE
        for row in signal.thresholds
        if row.headline
    }
    # What is blind has the row that it had before.
    held = steps().with_columns(
        c("row").forward_fill().over("signal", *LABELS), c("score").forward_fill(limit=1).over("signal", *LABELS)
    )
    found: dict[tuple[date, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for signal, row, day, score in held.select("signal", "row", "value_date", "score").iter_rows():
        if (signal, row) in headline_of and score is not None:
            segment, headline = headline_of[signal, row]
            found[day, segment][headline].append(score)
    scores = {
        key: segment_score([headline_score(some) for _, some in sorted(by_headline.items())])
        for key, by_headline in found.items()
    }
    days = sorted({day for day, _ in scores})
    critical = set(steps().filter(c("level") == int(Level.CRITICAL))["value_date"])
    columns = {
        segment: pl.Series([scores.get((day, segment)) for day in days], dtype=pl.Float64) for segment in SEGMENTS
    }
    return pl.DataFrame({"day": days} | columns | {"is_critical": [day in critical for day in days]})


@cache
def carried_alone() -> pl.DataFrame:
    """The composite of repo and Treasury, as `daily` gives it, with `fsi` (null where it is not carried)."""
    return daily(segments(), CALENDAR).join(ofr_fsi().select("day", "fsi"), on="day", how="left", maintain_order="left")


@cache
def with_stand_in() -> pl.DataFrame:
    """The same with the OFR's credit category in the place of the other three segments."""
    credit = ofr_fsi().with_columns(**{name: pl.lit(value) for name, value in STAND_IN.items()})
    credit = credit.select("day", "fsi", stand_in=score_of(c("credit")))
    scores = segments().join(credit, on="day", how="inner", maintain_order="left")
    scores = scores.with_columns(c("stand_in").alias(segment) for segment in UNSEEN)
    return daily(scores.drop("stand_in"), CALENDAR)


def rank_correlation(frame: pl.DataFrame) -> tuple[float, int]:
    """Spearman's, of the index with the OFR's, and of how many days."""
    both = frame.drop_nulls(["stress_index", "fsi"])
    rho = both.select(pl.corr("stress_index", "fsi", method="spearman")).item()
    assert isinstance(rho, float)
    return rho, both.height
