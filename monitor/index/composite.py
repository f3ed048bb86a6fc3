"""The composite: how bad it is, and how much of it at the same time, after CISS.

Hollo, Kremer, Lo Duca, "CISS - a composite indicator of systemic stress in the financial system", ECB working paper
1426 (2012). Scores s, weights w, and a correlation R that is made of exponentially weighted products:

    S_ij = DECAY * S_ij(before) + (1 - DECAY) * s_i * s_j      a business day, from 0
    R_ij = (S_ij + TOGETHER) / sqrt((S_ii + ALONE) * (S_jj + ALONE)),  R_ii = 1
    index = (w*s)' R (w*s)

Earlier sessions enter S by what stood at their end, today by what stands now. Unlike in CISS the products are not
centred at a mean: with centred ones the index *falls* when Treasury and repo join a crisis that credit began, because
they move against it then.

Everything is elementwise in a fixed order, so that one row has the same bits as the same row among thousands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.index.constants import ALONE, DECAY, PAIRS, TOGETHER, WEIGHTS, WHOLE
from monitor.index.regime import NO_LATCHES, with_regime
from monitor.results import SEGMENTS
from monitor.signals.model import divided, quotient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitor.calendar import MarketCalendar

Scores = tuple[float, ...]
"""One a segment, in their order; 0 for one that never had any."""
Products = tuple[float, ...]
"""S, one a pair, in the order of `PAIRS`."""

NOTHING: Final[Products] = (0.0,) * len(PAIRS)
PRODUCTS: Final = tuple(f"S_{i}_{j}" for i, j in PAIRS)
"""The columns in which the products of the sessions so far stand beside the scores."""

_PLACE: Final = {segment: place for place, segment in enumerate(SEGMENTS)}


def after_session(products: Products, scores: Scores) -> Products:
    """S after one more session, by the scores at its end.

    >>> once = after_session(NOTHING, (1.0, 0.5, 0.0, 0.0, 0.0))
    >>> {pair: round(s, 6) for pair, s in zip(PAIRS, once) if s}
    {('treasury', 'treasury'): 0.014409, ('treasury', 'repo'): 0.007205, ('repo', 'repo'): 0.003602}
    """
    today = 1 - DECAY
    return tuple(
        DECAY * before + today * (scores[_PLACE[i]] * scores[_PLACE[j]])
        for before, (i, j) in zip(products, PAIRS, strict=True)
    )


def with_composite(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the index, its bounds, contributions and coverage to scores.

    Args:
        frame: the score of every segment by its name (Float64; null: absent), and `PRODUCTS`: S of the sessions before.

    Returns:
        The frame with `stress_index`, `low`, `high`, `contribution_<segment>`, `coverage` and `covered` (percent,
        Int64). Weights are shared out again among the segments that are present. `low` has the absent ones at 0;
        `high` has them at 1 and correlated with everything, worse than which they cannot be.

    Example by hand: on the first day Treasury is at 1 and repo at 0.5, the others calm. S so far is 0, and today
    makes it 0.014409 (Treasury), 0.003602 (repo) and 0.007205 (both), as 1 - DECAY is 0.014409. So R of both is
    0.012205 / sqrt(0.024409 * 0.013602) = 0.66979. With u = (0.30, 0.125) the index is
    0.30^2 + 0.125^2 + 2 * 0.66979 * 0.30 * 0.125 = 0.09 + 0.015625 + 0.050235 = 0.155860.

    >>> row = pl.DataFrame({"treasury": [1.0], "repo": 0.5, "newissue": 0.0, "cds": 0.0, "credit": 0.0}
    ...     | dict.fromkeys(PRODUCTS, 0.0))
    >>> found = with_composite(row.lazy()).collect()
    >>> found.select(c("stress_index", "contribution_treasury", "contribution_repo", "coverage").round(6)).row(0)
    (0.15586, 0.115117, 0.040742, 1.0)

    Where nothing is known of the other three, the weights of the two are 30/55 and 25/55, and the bounds are far:

    >>> unknown = with_composite(row.lazy().with_columns(c("newissue", "cds", "credit") * None)).collect()
    >>> unknown.select(c("stress_index", "low", "high", "coverage").round(4)).row(0)
    (0.5152, 0.1559, 0.7409, 0.55)
    """
    for stage in _STAGES:
        frame = frame.with_columns(*stage)
    return frame.drop(_ON_THE_WAY)


def _summed(parts: Iterable[pl.Expr]) -> pl.Expr:
    """Added from the first to the last: a sum of floats depends on the order."""
    first, *rest = parts
    for each in rest:
        first = first + each
    return first


# The steps of `with_composite`, made once: a live tick would spend most of its time on making them.
_COVERED: Final = _summed(
    pl.when(c(s).is_not_null()).then(weight).otherwise(0).cast(pl.Int64) for s, weight in WEIGHTS.items()
).alias("covered")
_FILLED: Final = [c(s).fill_null(0.0).alias(f"x_{s}") for s in SEGMENTS]


_SHARED: Final = pl.max_horizontal("covered", pl.lit(1, pl.Int64)).alias("shared")  # of nothing all shares are 0


def _today(i: str, j: str) -> pl.Expr:
    return DECAY * c(f"S_{i}_{j}") + (1 - DECAY) * (c(f"x_{i}") * c(f"x_{j}"))


_SHARES: Final = [
    # u: the score by its share of the weights that are there; v: the same by what R is divided by.
    *(quotient(c(f"x_{s}") * weight, c("shared")).alias(f"u_{s}") for s, weight in WEIGHTS.items()),
    *((_today(s, s) + ALONE).sqrt().alias(f"d_{s}") for s in SEGMENTS),
    divided(c("covered"), WHOLE).alias("coverage"),
    divided(WHOLE - c("covered"), WHOLE).alias("missing"),
]
_SCALED: Final = [quotient(c(f"u_{s}"), c(f"d_{s}")).alias(f"v_{s}") for s in SEGMENTS]
_OF_PAIRS: Final = [
    ((_today(i, j) + TOGETHER) * (c(f"v_{i}") * c(f"v_{j}"))).alias(f"P_{i}_{j}") for i, j in PAIRS if i != j
]


def _of_pair(i: str, j: str) -> pl.Expr:
    """R_ij * u_i * u_j."""
    first, second = sorted((i, j), key=_PLACE.__getitem__)
    return c(f"u_{i}") * c(f"u_{i}") if i == j else c(f"P_{first}_{second}")


_CONTRIBUTIONS: Final = [
    pl.when(c(i).is_not_null()).then(_summed(_of_pair(i, j) for j in SEGMENTS)).alias(f"contribution_{i}")
    for i in SEGMENTS
]
_INDEX: Final = (
    pl.when(c("covered") > 0)
    .then(_summed(c(f"contribution_{s}").fill_null(0.0) for s in SEGMENTS))
    .alias("stress_index")
)
# The scores by their weights as they are, with none shared out again.
_WEIGHED: Final = (_summed(c(f"u_{s}") for s in SEGMENTS) * c("coverage")).alias("weighed")
_LOW: Final = c("stress_index").fill_null(0.0) * c("coverage") * c("coverage")
_HIGH: Final = _LOW + 2 * (c("weighed") * c("missing")) + c("missing") * c("missing")
_BOUNDS: Final = [
    # Rounding alone could put a bound on the wrong side of what it bounds, or past the end of the scale.
    pl.min_horizontal(_LOW, "stress_index").alias("low"),
    pl.min_horizontal(pl.max_horizontal(_HIGH, "stress_index"), pl.lit(1.0)).alias("high"),
]
_STAGES: Final = (
    [*_FILLED, _COVERED],
    [_SHARED],
    _SHARES,
    _SCALED,
    _OF_PAIRS,
    _CONTRIBUTIONS,
    [_INDEX, _WEIGHED],
    _BOUNDS,
)
_ON_THE_WAY: Final = [
    *(f"{name}_{s}" for name in "xudv" for s in SEGMENTS),
    *(f"P_{i}_{j}" for i, j in PAIRS if i != j),
    "shared",
    "missing",
    "weighed",
]


def daily(scores: pl.DataFrame, calendar: MarketCalendar) -> pl.DataFrame:
    """The composite of scores that are already one a day, for studies that compare by value date.

    It is what a monitor would say at the end of each day, if all values of a day were known on that day: a row's own
    scores are today's, those of the rows before it the earlier sessions'. A bond-market day without a row enters with
    the scores of the row before it. A segment that is null is absent; in S it stays as it was last.

    Args:
        scores: `day` (Date, sorted and distinct), a column a segment (Float64, 0 to 1 or null), and perhaps
            `is_critical` (Boolean): whether any signal of any segment is at critical.
        calendar: says which days are business days.

    Returns:
        The frame with `stress_index`, `low`, `high`, `contribution_<segment>`, `coverage`, `regime` and `capped`.

    Example: Treasury and repo at their worst from a Monday on, nothing known of the others.

    >>> from datetime import date
    >>> from monitor.calendar import MarketCalendar
    >>> week = pl.DataFrame({"day": [date(2020, 3, 9 + n) for n in range(5)], "treasury": 1.0, "repo": 1.0})
    >>> week = week.with_columns(**{name: pl.lit(None, pl.Float64) for name in ("newissue", "cds", "credit")})
    >>> daily(week, MarketCalendar()).select("day", c("stress_index").round(3), "coverage", "regime", "capped").rows()
    ... # doctest: +NORMALIZE_WHITESPACE
    [(datetime.date(2020, 3, 9), 0.898, 0.55, 'stressed', True),
     (datetime.date(2020, 3, 10), 0.936, 0.55, 'stressed', True),
     (datetime.date(2020, 3, 11), 0.953, 0.55, 'stressed', True),
     (datetime.date(2020, 3, 12), 0.963, 0.55, 'stressed', True),
     (datetime.date(2020, 3, 13), 0.969, 0.55, 'stressed', True)]
    """
    if scores.is_empty():
        products = pl.DataFrame(schema=dict.fromkeys(PRODUCTS, pl.Float64()))
    else:
        products = _before_each(scores, calendar)
    found = with_composite(scores.hstack(products).lazy())
    is_critical = c("is_critical") if "is_critical" in scores.columns else pl.lit(value=False)
    found = with_regime(found.with_columns(strength="stress_index", is_critical=is_critical), NO_LATCHES)
    bounds = ("stress_index", "low", "high", *(f"contribution_{s}" for s in SEGMENTS), "coverage", "regime", "capped")
    return scores.hstack(found.select(*bounds).collect())


def _before_each(scores: pl.DataFrame, calendar: MarketCalendar) -> pl.DataFrame:
    """S of the sessions before each row."""
    days = calendar.days(scores["day"][0], scores["day"][-1]).select(day="date", bond_index="bond_index")
    numbers = scores.select("day").join(days, on="day", how="left", maintain_order="left")["bond_index"].to_list()
    stood = scores.select(c(*SEGMENTS).forward_fill().fill_null(0.0)).rows()
    rows, products = [NOTHING], NOTHING
    for number, following, at_end in zip(numbers, numbers[1:], stood, strict=False):
        for _ in range(following - number):
            products = after_session(products, at_end)
        rows.append(products)
    return pl.DataFrame(rows, schema=dict.fromkeys(PRODUCTS, pl.Float64()), orient="row")


def as_columns(products: Products) -> Mapping[str, float]:
    """S by the names of its columns."""
    return dict(zip(PRODUCTS, products, strict=True))
