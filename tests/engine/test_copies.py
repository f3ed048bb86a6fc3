"""Copies of earlier sessions: found where several issues that move repeat a day, and nowhere else."""

from __future__ import annotations

from datetime import date, time
from random import Random
from typing import Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.engine.bars.treasury import TREASURY_SECOND
from monitor.engine.copies import COPIED, MARK, Copies
from tests.signals.events import S, new_york_us

MONDAY, TUESDAY = date(2019, 9, 16), date(2019, 9, 17)
ISSUES: Final = ("A", "B", "C", "D")
MINUTES: Final = 12


def day(
    when: date, issues: tuple[str, ...] = ISSUES, *, seed: int = 0, moves: bool = True, exact: bool = True
) -> pl.DataFrame:
    """Two bars a minute of each issue from nine o'clock on.

    Args:
        when: the date.
        issues: which.
        seed: of what is quoted.
        moves: whether mids change.
        exact: whether stamps are finer than a second, and sizes are said.
    """
    rows = []
    begin = new_york_us(when, time(9)) // S
    for issue in issues:
        random = Random(f"{issue} {seed}")
        mid = 200_000_000_000
        for half in range(2 * MINUTES):
            second = begin + 30 * half + random.randrange(30)
            mid += random.choice((-1, 0, 1)) * 15_625_000 if moves else 0
            at_us = second * S + (random.randrange(1, S) if exact else 0)
            depth = random.randrange(10, 90) * 1_000 if exact else None
            rows.append(
                {
                    "second": second, "partition": "q", "instrument": issue, "first_us": at_us, "last_us": at_us,
                    "spread_e9": 15_625_000, "depth2_kusd": depth, "mid2_e9": mid, "spread_e9_area": 0,
                    "spread_e9_us": 0, "depth2_kusd_area": 0, "depth2_kusd_us": 0, "quotes": 1, "one_sided": 0,
                    "crossed": 0, "traded_kusd": 0, "signed_kusd": 0,
                }
            )  # fmt: skip
    return pl.DataFrame(rows, {name: TREASURY_SECOND[name] for name in rows[0]}).with_columns(
        **{name: pl.lit(None, kind) for name, kind in TREASURY_SECOND.items() if name not in rows[0]}
    ).select(*TREASURY_SECOND)  # fmt: skip


def copied(*days: pl.DataFrame) -> pl.DataFrame:
    copies = Copies()
    for bars in days:
        copies.add(bars)
    return copies.upto(1 << 40, None)


def minutes_of_tuesday(found: pl.DataFrame) -> dict[str, list[int]]:
    """By issue, which of the minutes after nine are copied."""
    begin = new_york_us(TUESDAY, time(9)) // S
    hit = found.filter("is_copied")
    return {
        issue: sorted((each - begin) // 60 for each in hit.filter(c("instrument") == issue)["minute"])
        for issue in ISSUES
    }


def test_a_day_that_is_played_again_is_found_in_its_second_minute() -> None:
    found = minutes_of_tuesday(copied(day(MONDAY), day(TUESDAY)))
    assert all(minutes[0] in (1, 2) and minutes[-1] == MINUTES - 1 for minutes in found.values())


def test_it_may_be_any_of_the_five_days_before_and_no_older_one() -> None:
    between = [date(2019, 9, each) for each in (10, 11, 12, 13, 16)]
    others = [day(each, seed=n + 1) for n, each in enumerate(between)]
    assert minutes_of_tuesday(copied(day(date(2019, 9, 9)), *others[1:], day(TUESDAY)))["A"]
    assert not minutes_of_tuesday(copied(day(date(2019, 9, 9)), *others, day(TUESDAY)))["A"]


@pytest.mark.parametrize(
    ("monday", "tuesday"),
    [
        (day(MONDAY), day(TUESDAY, seed=1)),
        (day(MONDAY, moves=False), day(TUESDAY, moves=False)),
        (day(MONDAY, exact=False), day(TUESDAY, exact=False)),
        (day(MONDAY, ISSUES[:2]), day(TUESDAY, ISSUES[:2])),
        (day(MONDAY), pl.concat([day(TUESDAY, ISSUES[:2]), day(TUESDAY, ISSUES[2:], seed=1)])),
    ],
    ids=["another day", "nothing moves", "whole seconds without sizes", "two issues", "two of four"],
)
def test_what_is_no_copy_or_cannot_be_told_to_be_one(monday: pl.DataFrame, tuesday: pl.DataFrame) -> None:
    assert copied(monday, tuesday).filter("is_copied").is_empty()


def test_the_issues_that_are_not_copied_are_not_flagged() -> None:
    mixed = pl.concat([day(TUESDAY, ISSUES[:3]), day(TUESDAY, ISSUES[3:], seed=1)])
    found = minutes_of_tuesday(copied(day(MONDAY), mixed))
    assert found["A"]
    assert not found["D"]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 2 * MINUTES))
@settings(deadline=None, max_examples=25)
def test_it_is_the_same_however_bars_come_and_after_a_restart(steps: list[int], restart_at: int) -> None:
    bars = pl.concat([day(MONDAY), day(TUESDAY)]).sort("second", "instrument")
    whole = copied(bars)
    copies, marks, given_so_far = Copies(), [pl.DataFrame(schema=MARK)], bars.clear()
    end = int(bars["second"].max()) + 120  # type: ignore[arg-type]
    now = int(bars["second"].min())  # type: ignore[arg-type]
    seen = pl.DataFrame(schema=COPIED)
    for n in range(1 << 20):
        before, now = now, now + 30 * steps[n % len(steps)]
        some = bars.filter(c("second") >= before, c("second") < now)
        given_so_far = pl.concat([given_so_far, some])
        copies.add(some)
        new = copies.upto(now, None)
        seen = pl.concat([seen, new]).unique(["minute", "instrument"], keep="last")
        marks.append(copies.take_new())
        if n == restart_at:
            copies = Copies()
            copies.restore(pl.concat(marks), given_so_far)
        if now >= end:
            break
    assert_frame_equal(
        seen.filter("is_copied").sort("minute", "instrument"), whole.filter("is_copied").sort("minute", "instrument")
    )
    assert not pl.concat(marks).select("minute", "instrument").is_duplicated().any()
