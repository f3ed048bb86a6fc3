"""The composite of one row a day is the plain one's, also over days without a row."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from monitor.calendar import MarketCalendar
from monitor.index.composite import daily
from monitor.results import SEGMENTS
from tests.index.plain import NAMES, L, Plain

CALENDAR: Final = MarketCalendar()
FIRST: Final = date(2020, 3, 5)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"day": pl.Date(), **{name: pl.Float64() for name in SEGMENTS}})


@st.composite
def days(draw: st.DrawFn) -> list[dict[str, Any]]:
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 4, 9]), min_size=1, max_size=12))
    score = st.none() | st.floats(0, 1)
    rows, day = [], FIRST
    for gap in gaps:
        rows.append({"day": day, **{name: draw(score) for name in SEGMENTS}})
        day += timedelta(gap)
    return rows


@given(days())
@settings(deadline=None, max_examples=60, phases=(Phase.explicit, Phase.generate))
def test_it_is_what_the_definition_says(rows: list[dict[str, Any]]) -> None:
    found = daily(frame(rows), CALENDAR)
    plain, stood = Plain((), CALENDAR), dict.fromkeys(NAMES, 0.0)
    for number, row in enumerate(rows):
        if number:
            business = CALENDAR.days(rows[number - 1]["day"], row["day"])["bond_index"]
            for _ in range(business[-1] - business[0]):
                plain.so_far = {
                    (i, j): L * before + (1 - L) * stood[i] * stood[j] for (i, j), before in plain.so_far.items()
                }
        scores = {name: row[name] for name in NAMES}
        stood |= {name: score for name, score in scores.items() if score is not None}
        expected = plain.index(scores)
        assert {name: found[name][number] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_a_critical_signal_makes_it_elevated_and_nothing_gives_nothing() -> None:
    rows = frame([{"day": FIRST, **dict.fromkeys(SEGMENTS, 0.0)}])
    assert daily(rows, CALENDAR)["regime"].to_list() == ["calm"]
    assert daily(rows.with_columns(is_critical=True), CALENDAR)["regime"].to_list() == ["elevated"]
    assert daily(rows.clear(), CALENDAR).height == 0
