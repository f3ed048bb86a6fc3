"""How far mid yields are from a smooth curve: the noise of Hu, Pan and Wang.

Hu, Pan and Wang, Noise as Information for Illiquidity, Journal of Finance 68 (2013): a curve of Svensson (Estimating
and Interpreting Forward Interest Rates, NBER Working Paper 4871, 1994) is fitted to the prices of issues with one month
to ten years left, with weights of one over the duration; the root mean square of the yields' distances from it, over
those with one to ten years left, says how little capital there is to trade the distances away.

The fit is a function of its inputs alone. It starts from fixed values, never from an earlier fit: three descents by
Levenberg-Marquardt, which is quick but in QuantLib minimises fourth powers, and from the best of them the simplex,
which minimises squares, until a further round no longer matters.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl
from polars import col as c
from QuantLib import (
    Actual365Fixed,
    Array,
    BondFunctions,
    BondHelper,
    FittedBondDiscountCurve,
    LevenbergMarquardt,
    QuoteHandle,
    Settings,
    SimpleQuote,
    SvenssonFitting,
)

from monitor.signals.yields import MID2_UNITS, Issue, duration_at, issue_of, yield_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from QuantLib import Date

FEWEST: Final = 30
"""Issues with one to ten years left that a curve of six parameters is fitted to."""

Quote = tuple[int, "date", int]
"""Of an issue: coupon (1e-6 percent), maturity, and bid + ask (1e-9 of a point)."""

_SHORTEST, _FROM, _TO = "1mo", "1y", "10y"
_BP: Final = 10_000
_DAYS: Final = Actual365Fixed()

_PLAIN, _HUMPED = (0.03, -0.01, 0.0, 0.0), (0.03, 0.0, 0.01, 0.01)
_STARTS: Final = (
    (*_PLAIN, 0.5, 0.15),
    (*_PLAIN, 1.5, 0.3),
    (*_HUMPED, 0.5, 0.15),
)
"""Svensson's parameters in QuantLib's order: long rate, short less long, two humps; and the decay of each, a year."""
_DESCENT_EVALUATIONS, _DESCENT_ACCURACY = 200, 1e-8
_ROUND_EVALUATIONS, _ROUND_ACCURACY, _ROUNDS = 1_000, 1e-6, 8
_SIMPLEX_STEP: Final = 0.1
_ENOUGH_BP, _ENOUGH_SHARE = 0.01, 0.01
"""A round that lowers the root mean square by less than either of these is the last."""
_WORST_BP: Final = 1e6
"""What is farther from any curve is no market."""


def is_fitted() -> pl.Expr:
    """Whether an issue is one that curves are fitted to: over `maturity` and `value_date`."""
    return c("maturity").is_between(c("value_date").dt.offset_by(_SHORTEST), c("value_date").dt.offset_by(_TO))


def is_measured() -> pl.Expr:
    """Whether an issue is one whose distance from the curve counts: over `maturity` and `value_date`."""
    return c("maturity").is_between(c("value_date").dt.offset_by(_FROM), c("value_date").dt.offset_by(_TO))


def curve_noise_bp(quotes: Iterable[Quote], value_date: date) -> float | None:
    """The root mean square distance of mid yields from the curve fitted to them.

    Args:
        quotes: in any order; those with less than a month or more than ten years left are left out.
        value_date: the day on which they stand.

    Returns:
        Basis points over the issues with one to ten years left; None if those with a yield are fewer than `FEWEST`,
        and if the fit does not converge. It costs a fifth of a second for forty issues.
    """
    return _noise_bp(tuple(sorted(quotes)), value_date)


class _Bond(NamedTuple):
    issue: Issue
    mid: float
    rate: float
    duration: float
    is_measured: bool


@lru_cache(maxsize=1 << 9)
def _noise_bp(quotes: tuple[Quote, ...], value_date: date) -> float | None:
    bonds = _bonds(quotes, value_date)
    if sum(bond.is_measured for bond in bonds) < FEWEST:
        return None
    settings = Settings.instance()
    before = settings.evaluationDate
    try:
        # QuantLib settles bonds by this setting of the process; nothing else here reads it.
        settings.evaluationDate = bonds[0].issue.settlement
        return _distance_bp(bonds)
    except RuntimeError:  # all that QuantLib raises
        return None
    finally:
        settings.evaluationDate = before


def _bonds(quotes: tuple[Quote, ...], value_date: date) -> list[_Bond]:
    """Those that a curve can be fitted to."""
    shape = {"coupon_e6": pl.Int64(), "maturity": pl.Date(), "mid2_e9": pl.Int64()}
    rows = pl.DataFrame(quotes, shape, orient="row").with_columns(value_date=pl.lit(value_date))
    found = []
    rows = rows.filter(is_fitted()).select(*shape, measured=is_measured())
    for coupon_e6, maturity, mid2_e9, measured in rows.iter_rows():
        issue, mid = issue_of(coupon_e6, maturity, value_date), mid2_e9 / MID2_UNITS
        rate = None if issue is None else yield_at(issue, mid)
        duration = None if issue is None or rate is None else duration_at(issue, rate)
        if issue is not None and rate is not None and duration is not None:
            found.append(_Bond(issue, mid, rate, duration, measured))
    return found


def _distance_bp(bonds: Sequence[_Bond]) -> float | None:
    curve = _fitted(bonds)
    if curve is None:
        return None
    squares = []
    for bond in bonds:
        if bond.is_measured:
            price = BondFunctions.cleanPrice(bond.issue.bond, curve, bond.issue.settlement)
            rate = yield_at(bond.issue, price) if math.isfinite(price) else None
            if rate is None:
                return None
            squares.append((_BP * (bond.rate - rate)) ** 2)
    distance = math.sqrt(math.fsum(squares) / len(squares))
    return distance if distance <= _WORST_BP else None


def _fitted(bonds: Sequence[_Bond]) -> FittedBondDiscountCurve | None:
    """The curve; None if rounds of the simplex still lower the distance when there were enough of them."""
    helpers = [BondHelper(QuoteHandle(SimpleQuote(bond.mid)), bond.issue.bond) for bond in bonds]
    # A price error in points over the duration, in bp of yield: the cost is then a sum of squares of bp.
    weights = Array([_BP / (bond.mid * bond.duration) for bond in bonds])
    settlement = bonds[0].issue.settlement
    best = _descended(helpers, weights, settlement)
    if best is None:
        return None
    last_bp = math.inf
    for _ in range(_ROUNDS):
        curve = FittedBondDiscountCurve(
            settlement, helpers, _DAYS, SvenssonFitting(weights), _ROUND_ACCURACY, _ROUND_EVALUATIONS, best,
            _SIMPLEX_STEP,
        )  # fmt: skip
        results = curve.fitResults()
        distance_bp = math.sqrt(results.minimumCostValue() / len(bonds))
        if not math.isfinite(distance_bp):
            return None
        if last_bp - distance_bp <= max(_ENOUGH_BP, _ENOUGH_SHARE * distance_bp):
            return curve
        best, last_bp = results.solution(), distance_bp
    return None


def _descended(helpers: Sequence[BondHelper], weights: Array, settlement: Date) -> Array | None:
    """The best of what Levenberg-Marquardt comes to from the starting values; None if it fails from all of them."""
    found: list[tuple[float, Array]] = []
    for start in _STARTS:
        way = LevenbergMarquardt(_DESCENT_ACCURACY, _DESCENT_ACCURACY, _DESCENT_ACCURACY)
        curve = FittedBondDiscountCurve(
            settlement, helpers, _DAYS, SvenssonFitting(weights, way), _DESCENT_ACCURACY, _DESCENT_EVALUATIONS,
            Array(start),
        )  # fmt: skip
        try:
            results = curve.fitResults()
        except RuntimeError:
            continue
        if math.isfinite(results.minimumCostValue()):
            found.append((results.minimumCostValue(), results.solution()))
    return min(found, key=lambda each: each[0])[1] if found else None
