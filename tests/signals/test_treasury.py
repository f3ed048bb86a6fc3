"""Spread and depth of quotes against their definitions in plain Python, and worked by hand."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, time
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.signals import CATALOGUE
from monitor.signals.model import change_ticks, evaluate
from tests.signals.events import AFTER_ALL, BEFORE_ALL, S, new_york_us, tiers_of
from tests.signals.market_logs import quote_logs
from tests.signals.plain_quotes import ABSENT, BLIND, PRESENT, PlainTreasury, is_open
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from tests.signals.events import Event, Log

ROWS: Final = {
    "treasury_spread_32nds": {
        ("UST-2Y", 2_000, True): "on_the_run_2y",
        ("UST-3Y", 3_000, True): "on_the_run_5y",
        ("UST-5Y", 5_000, True): "on_the_run_5y",
        ("UST-7Y", 7_000, True): "on_the_run_10y",
        ("UST-10Y", 10_000, True): "on_the_run_10y",
        ("UST-20Y", 20_000, True): "on_the_run_30y",
        ("UST-30Y", 30_000, True): "on_the_run_30y",
        ("912810SH2", 30_000, False): "off_the_run_30y",
        ("912810SH3", 30_000, None): "off_the_run_30y",
        ("912828XX0", 10_000, False): None,
        ("912828XX1", None, True): None,
        ("912828XX2", None, None): None,
    },
    "treasury_depth_musd": {("UST-2Y", 2_000, True): None},
    "treasury_depth_drop_ratio": {("UST-2Y", 2_000, True): "all", ("912828XX2", None, None): "all"},
    "treasury_spread_zscore": {("UST-2Y", 2_000, True): "all", ("912828XX2", None, None): "all"},
}
"""Which threshold row a label set has: read by `test_contract`."""

FIGURES: Final = {"treasury_spread_32nds": "spread", "treasury_depth_musd": "depth"}
SIGNALS: Final = {signal.name: signal for signal in CATALOGUE if signal.name in FIGURES}
DAY: Final = date(2019, 9, 16)
"""A Monday."""
LAST_BIT: Final = Fraction(4, 10**16)


def told(log: Log, extra: list[int] | None = None) -> dict[str, pl.DataFrame]:
    """By signal, what is told at its change points, and at other ticks as those of other segments are."""
    tiers = tiers_of(log)
    ticks = change_ticks(SIGNALS.values(), tiers, BEFORE_ALL, AFTER_ALL)
    ticks = pl.concat([ticks, pl.Series("tick", extra or [], dtype=pl.Int64)]).unique().sort()
    return {name: evaluate(signal, tiers, ticks).filter(~pl.col("by_print")) for name, signal in SIGNALS.items()}


def near(ticks: list[int], steps: list[int]) -> list[int]:
    return [ticks[n % len(ticks)] + n // 7 for n in steps] if ticks else []


@given(quote_logs(), st.lists(st.integers(-8_000, 8_000), max_size=12))
@settings(deadline=None, max_examples=25)
def test_what_is_told_is_as_defined(log: Log, steps: list[int]) -> None:
    """At all ticks that are looked at: what is told, of which issues, under which row, and nothing else."""
    plain = PlainTreasury(log)
    ticks = change_ticks(SIGNALS.values(), tiers_of(log), BEFORE_ALL, AFTER_ALL).to_list()
    extra = near(ticks, steps)
    for name, values in told(log, extra).items():
        found = {(row["tick"], row["instrument"]): row for row in values.iter_rows(named=True)}
        expected = {
            (tick, issue) for tick in {*ticks, *extra} for issue in plain.issues if plain.says(issue, tick)
        }  # fmt: skip
        assert found.keys() == expected
        for (tick, issue), row in found.items():
            state = plain.state(issue, FIGURES[name], tick)
            mean = plain.mean(issue, FIGURES[name], tick)
            assert row["blind"] == (state == BLIND)
            assert (row["value"] is not None) == (state == PRESENT)
            if row["value"] is not None:
                assert mean is not None
                assert abs(Fraction(row["value"]) - mean) <= LAST_BIT * mean
            tenor, on_the_run = plain.attributes(issue, tick)
            is_over = all(tick >= each for each in plain.over(issue, tick))
            is_ruled = "spread" in name and not is_over
            assert row["row"] == (row_of(tenor, on_the_run=on_the_run) if is_ruled else None)


def row_of(tenor: float | None, *, on_the_run: bool | None) -> str | None:
    if not on_the_run:
        return "off_the_run_30y" if tenor in (20, 30) else None
    families = {"2y": (2,), "5y": (3, 5), "10y": (7, 10), "30y": (20, 30)}
    return next((f"on_the_run_{name}" for name, tenors in families.items() if tenor in tenors), None)


@given(quote_logs(), st.lists(st.integers(-8_000, 8_000), max_size=20))
@settings(deadline=None, max_examples=25)
def test_every_change_of_state_has_its_tick(log: Log, steps: list[int]) -> None:
    """At any second of a session an issue is present, absent or blind as at the last of its ticks."""
    plain = PlainTreasury(log)
    for name, values in told(log).items():
        said: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for row in values.iter_rows(named=True):
            state = BLIND if row["blind"] else ABSENT if row["value"] is None else PRESENT
            said[row["instrument"]].append((row["tick"], state))
        ticks = sorted(set(values["tick"]))
        for issue in plain.issues:
            for tick in {*near(ticks, steps), *(each + n for each in ticks[:20] for n in (-1, 0, 1))}:
                state = plain.state(issue, FIGURES[name], tick)
                # What left the window in the course of a second is told at the end of it.
                if is_open(tick - 1) and plain.state(issue, FIGURES[name], tick - 1) == state:
                    before = [each for at, each in said[issue] if at <= tick]
                    assert (before[-1] if before else ABSENT) == state, (name, issue, tick)


# Worked by hand.


def quote(moment: str, spread_32nds: float | None = None, day: date = DAY, **more: Any) -> Event:
    """The 10-year on the run, bid at 100, unless it says otherwise."""
    fields: dict[str, Any] = {"bid": 100, "tenor_years": 10, "on_the_run": True}
    if spread_32nds is not None:
        fields["ask"] = 100 + spread_32nds / 32
    fields |= more
    partition = str(fields.pop("partition", "quotes-0"))
    instrument = str(fields.pop("instrument", "UST-10Y"))
    return quote_event(partition, instrument, new_york_us(day, time.fromisoformat(moment)), 0, **fields)


def at(moment: str, day: date = DAY) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def spread(log: Log, moment: str, day: date = DAY, name: str = "treasury_spread_32nds") -> tuple[float | None, bool]:
    """The value at a tick that is looked at, and whether it is blind."""
    row = told(log, [at(moment, day)])[name].filter(pl.col("tick") == at(moment, day)).row(0, named=True)
    return row["value"], row["blind"]


def test_half_a_32nd_for_a_minute_and_one_for_two_is_five_sixths() -> None:
    log = [quote("09:00:00", 0.5), quote("09:01:00", 1.0)]
    assert spread(log, "09:03:00") == (5 / 6, False)


def test_the_window_is_five_minutes_and_begins_anew_with_the_session() -> None:
    log = [quote("09:00:00", 8.0), quote("09:01:00", 1.0), quote("09:04:00", 1.0)]
    assert spread(log, "09:06:00") == (1.0, False)
    early = [quote("06:58:00", 8.0), quote("07:01:00", 1.0)]
    assert spread(early, "07:02:00") == (4.5, False)


def test_a_crossed_quote_a_locked_one_and_one_of_one_side() -> None:
    assert spread([quote("09:00:00", 1.0), quote("09:01:00", -1.0)], "09:02:00") == (1.0, False)
    assert spread([quote("09:00:00", 1.0), quote("09:01:00", 0.0)], "09:02:00") == (0.5, False)
    assert spread([quote("09:00:00", 1.0), quote("09:01:00")], "09:02:00") == (1.0, False)
    assert spread([quote("09:00:00")], "09:01:00") == (None, False)


def test_depth_is_half_of_both_sizes_and_absent_without_them() -> None:
    log = [quote("09:00:00", 1.0, bid_size=10, ask_size=30), quote("09:01:00", 1.0, bid_size=40, ask_size=40)]
    assert spread(log, "09:02:00", name="treasury_depth_musd") == (30.0, False)
    assert spread([quote("09:00:00", 1.0)], "09:01:00", name="treasury_depth_musd") == (None, False)


def test_two_partitions_are_weighted_together_also_when_one_has_fallen_silent() -> None:
    """At 09:05:30 the first stood from 09:00:30 to its end at 09:05, the second for 90 seconds."""
    log = [quote("09:00:00", 1.0), quote("09:04:00", 4.0, partition="quotes-1")]
    assert spread(log, "09:05:00") == (1.5, False)
    assert spread(log, "09:05:30") == ((270 * 1 + 90 * 4) / 360, False)


@pytest.mark.parametrize(
    ("on_the_run", "last", "day", "blind_at", "blind_day"),
    [
        (True, "09:00:00", DAY, "09:05:01", DAY),
        (False, "09:00:00", DAY, "09:15:01", DAY),
        (True, "16:58:00", DAY, "07:03:01", date(2019, 9, 17)),
        (False, "16:58:00", date(2019, 9, 13), "07:13:01", DAY),  # over the weekend
        (True, "13:59:59", date(2019, 7, 3), "07:05:00", date(2019, 7, 5)),  # an early close, a holiday
        (True, "06:00:00", DAY, "07:05:00", DAY),
        (True, "16:55:00", DAY, "07:00:01", date(2019, 9, 17)),
        (True, "16:54:59", DAY, "07:00:00", date(2019, 9, 17)),
    ],
)
def test_an_issue_is_blind_when_its_hold_ran_out_in_session_seconds(
    on_the_run: bool, last: str, day: date, blind_at: str, blind_day: date
) -> None:
    values = told([quote(last, 1.0, day, on_the_run=on_the_run)])["treasury_spread_32nds"]
    assert values.filter("blind")["tick"].to_list() == [at(blind_at, blind_day)]


def test_a_fresh_quote_ends_blindness_and_one_in_time_prevents_it() -> None:
    log = [quote("09:00:00", 1.0), quote("09:04:59", 1.0), quote("09:20:00", 2.0)]
    values = told(log)["treasury_spread_32nds"]
    assert values.filter("blind")["tick"].to_list() == [at("09:10:00"), at("09:25:01")]
    assert spread(log, "09:20:01") == (2.0, False)


def test_off_session_it_is_absent() -> None:
    values = told([quote("16:59:00", 1.0), quote("18:00:00", 2.0)])["treasury_spread_32nds"]
    evening = values.filter(pl.col("tick") >= at("17:00"), pl.col("tick") < at("07:00", date(2019, 9, 17)))
    assert evening.select("tick", "value", "blind").rows() == [(at("17:00"), None, False)]


def test_an_issue_that_rolls_off_the_run_comes_under_another_row_or_none() -> None:
    log = [
        quote("09:00:00", 1.0),
        quote("09:01:00", 1.0, on_the_run=False),
        quote("09:02:00", 1.0, instrument="UST-30Y", tenor_years=30),
        quote("09:03:00", 1.0, instrument="UST-30Y", tenor_years=30, on_the_run=False),
    ]
    values = told(log)["treasury_spread_32nds"]
    rows = {(row["instrument"], row["tick"]): row["row"] for row in values.iter_rows(named=True)}
    assert rows["UST-10Y", at("09:00:01")] == "on_the_run_10y"
    assert rows["UST-10Y", at("09:01:01")] is None
    assert rows["UST-30Y", at("09:02:01")] == "on_the_run_30y"
    assert rows["UST-30Y", at("09:03:01")] == "off_the_run_30y"


def test_what_an_issue_is_stands_in_its_newest_quote_of_any_partition() -> None:
    log = [quote("09:00:00", 1.0, partition="quotes-1"), quote("09:01:00", 1.0, on_the_run=False)]
    values = told(log)["treasury_spread_32nds"]
    assert values.filter(pl.col("tick") == at("09:01:01"))["row"].to_list() == [None]
