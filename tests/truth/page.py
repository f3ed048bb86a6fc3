"""The page `docs/truth.md`: what the monitor makes of the real history that it carries, right or wrong."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from polars import col as c

from monitor.history import HISTORIES
from monitor.markdown import page, table
from tests.truth.alarms import DAYS_A_YEAR, LEVELS, records, regimes, unjudged
from tests.truth.carried import STRESS, value_of
from tests.truth.composite import STAND_IN, carried_alone, rank_correlation, with_stand_in

if TYPE_CHECKING:
    import polars as pl

SEPTEMBER: Final = (date(2019, 9, 12), date(2019, 9, 20))
MARCH: Final = (date(2020, 3, 6), date(2020, 4, 8))

_INTRODUCTION: Final = (
    "What the monitor says of the real history that it carries, compared with what was published of those days. "
    "Everything is compared *by value date*: SOFR, Treasury quotes and the OFR index of one day stand in one row, as "
    "if all of a day were known on it. A monitor that runs knows SOFR of a day on the next business day only: by event "
    "time what repo brings comes a day later. No threshold was fitted to any of these dates; what does not come out "
    "stands here too."
)
_CARRIED: Final = (
    "Carried are SOFR and its kin, and FedInvest's indicative quotes of four Treasuries, one a day, in two spells; of"
    " new issues, CDS and credit there is no history. So the composite of the carried data covers 55 % of the weights"
    " where both are there, and 25 % where repo is alone. The OFR Financial Stress Index (Office of Financial "
    "Research; `tests/data`) is a daily index of market variables in five categories: credit, equity valuation, safe "
    "assets, funding and volatility. Days that repeat an older one, or have blanks, hold their score for a day."
)
_CIRCULAR: Final = (
    "**The number with the stand-in is circular.** The stand-in is the OFR's own credit category, a part of what it is "
    "compared with, at 45 % of the weights. It says that the composite adds up as it should, and nothing of how well "
    "the monitor sees stress in credit. The number of the carried data alone is the monitor's own, and it is low: on "
    "most days that is repo and nothing else, and funding is one of the OFR's five categories."
)


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _regime(row: dict[str, object]) -> str:
    return f"{row['regime']}{', capped' if row['capped'] else ''}"


def _between(frame: pl.DataFrame, days: tuple[date, date]) -> pl.DataFrame:
    return frame.filter(c("day").is_between(*days))


def _september() -> str:
    rows = [
        (
            str(row["day"]),
            f"{value_of('repo_spread_bp', row['day'], instrument='SOFR'):.0f}",
            f"{value_of('repo_tail_bp', row['day'], instrument='SOFR'):.0f}",
            _number(row["repo"]),
            _number(row["treasury"]),
            _number(row["stress_index"], 3),
            _regime(row),
            _number(row["fsi"]),
        )
        for row in _between(carried_alone(), SEPTEMBER).iter_rows(named=True)
    ]
    head = ("day", "SOFR - IORB, bp", "tail, bp", "repo", "Treasury", "index", "regime", "OFR FSI")
    return (
        "## September 2019: one market alone\n\n"
        "Repo is critical, and Treasuries are quoted as ever: the regime is elevated, and not a crisis. One market "
        "alone is not everywhere.\n\n" + table(head, rows)
    )


def _march() -> str:
    other = {row["day"]: row for row in _between(with_stand_in(), MARCH).iter_rows(named=True)}
    rows = [
        (
            str(row["day"]),
            _number(row["treasury"]),
            _number(row["repo"]),
            _number(row["stress_index"], 3),
            _regime(row),
            _number(other[row["day"]]["credit"]),
            _number(other[row["day"]]["stress_index"], 3),
            _regime(other[row["day"]]),
            _number(row["fsi"]),
        )
        for row in _between(carried_alone(), MARCH).iter_rows(named=True)
    ]
    head = ("day", "Treasury", "repo", "index", "regime", "stand-in", "index with it", "regime with it", "OFR FSI")
    peak = with_stand_in().sort("stress_index", descending=True).row(0, named=True)
    highest = with_stand_in().sort("fsi", descending=True).row(0, named=True)
    anchors = ", ".join(f"{value:g}" for value in STAND_IN.values())
    return (
        "## March 2020: the dash for cash\n\n"
        "On the left repo and Treasury alone (coverage 55 %): stressed from 2020-03-12, and capped where the index "
        "alone would be a crisis, because of 55 % nobody can say that it is everywhere. On the right the OFR's credit "
        f"category (scored by {anchors}: calm, warning, critical) stands in for each of the other three segments: a "
        f"crisis from 2020-03-16. It peaks on {peak['day']} at {peak['stress_index']:.3f}; the OFR index peaks on "
        f"{highest['day']} at {highest['fsi']:.2f}.\n\n" + table(head, rows)
    )


def _correlations() -> str:
    both_there = c("treasury").is_not_null()
    samples = (
        ("carried data alone, all days", carried_alone()),
        ("carried data alone, days with Treasury", carried_alone().filter(both_there)),
        ("with the stand-in, all days", with_stand_in()),
        ("with the stand-in, days with Treasury", with_stand_in().filter(both_there)),
    )
    rows = [(name, f"{rho:.2f}", f"{days:,}") for name, rho, days in ((n, *rank_correlation(f)) for n, f in samples)]
    return (
        "## Against the OFR Financial Stress Index\n\n"
        "Rank correlation (Spearman) of the stress index with it, by day.\n\n"
        + table(("stress index of", "correlation", "days"), rows)
        + f"\n\n{_CIRCULAR}\n\nDays with Treasury are those of two chosen spells, one of which holds the worst days of "
        "the whole history: their numbers flatter."
    )


def _alarms() -> str:
    rows = [
        (
            f"`{each.signal}`", f"`{each.row}`", each.level.word, f"{each.judged:,}", str(each.days),
            str(each.true_days), str(each.alarms), str(each.false_alarms), f"{each.false_a_year:.1f}",
        )
        for each in records()
    ]  # fmt: skip
    head = (
        "signal", "row", "level", "days judged", "in alarm", "of these true", "alarms", "false", "false a year",
    )  # fmt: skip
    spells = "\n".join(f"- {spell.first} to {spell.last}: {spell.what}" for spell in STRESS)
    return (
        "## False alarms\n\n"
        "An alarm is an unbroken run of value dates at a level or above it. It is true if any of its days lies in one "
        f"of these windows, and false otherwise:\n\n{spells}\n\n"
        f"A year is {DAYS_A_YEAR} value dates outside the windows. The Treasuries are judged on a fifth of a year or "
        "less outside them: that none of their alarms is false says little.\n\n" + table(head, rows)
    )


def _regimes() -> str:
    rows = [(*what, f"{days:,}", str(true)) for *what, days, true in regimes(carried_alone())]
    return (
        "## The regime of the carried data alone\n\n"
        "Where repo alone is present (coverage 25 %) the index is its score squared, and what strains funding at the "
        "end of a month, a quarter or a year is stress of all that is seen: that is why coverage and bounds are "
        "exported beside it.\n\n" + table(("coverage", "regime", "days", "in the stress windows"), rows)
    )


def _unjudged() -> str:
    rows = []
    for signal, row in unjudged():
        edges = zip(LEVELS, (row.warning, row.critical), strict=True)
        levels = " and ".join(level.word for level, edge in edges if edge is not None)
        rows.append((f"`{signal.name}`", f"`{row.id}`", levels, row.applies_to))
    return (
        "## What the carried history cannot judge\n\n"
        "No value of these is carried: there is no false-alarm rate, and their thresholds stand by evidence from "
        "elsewhere or by judgement, as [thresholds](thresholds.md) says of each.\n\n"
        + table(("signal", "row", "levels", "of"), rows)
    )


def truth_page() -> str:
    """The text of the page."""
    carried = "\n".join(f"- `{each.name}`: {each.title}, {each.first} to {each.last}" for each in HISTORIES.values())
    return page(
        "Truth",
        _INTRODUCTION,
        f"{_CARRIED}\n\n{carried}",
        _september(),
        _march(),
        _correlations(),
        _alarms(),
        _regimes(),
        _unjudged(),
    )
