"""What is kept of the recent past: all that a window could look at, and of what is older the last of each series."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.recent import Recent

SHAPE: dict[str, pl.DataType] = {"second": pl.Int64(), "name": pl.String(), "segment": pl.String(), "rate": pl.Int64()}
KEPT = 80
Row = tuple[int, str, str | None, int]
properties = settings(deadline=None, max_examples=150)

NAMES = st.tuples(st.sampled_from("AB"), st.none() | st.sampled_from("xy"))
STEPS = st.lists(
    st.tuples(
        st.integers(0, 60),  # how far seconds go on
        st.lists(st.tuples(st.integers(0, 59), NAMES, st.integers(1, 3)), max_size=5),
        st.none() | st.integers(0, 30),  # how far behind the newest second the ticks are; None: nobody looks
    ),
    max_size=12,
)


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SHAPE, orient="row")


def needed(rows: list[Row], begin: int) -> set[Row]:
    """What ticks from `begin` on may look at: the last `KEPT` seconds, and before them each series' last second."""
    young = {row for row in rows if row[0] >= begin - KEPT}
    newest: dict[tuple[str, str | None], int] = {}
    for second, name, segment, _ in rows:
        if second < begin - KEPT:
            newest[name, segment] = max(newest.get((name, segment), second), second)
    return young | {row for row in rows if newest.get(row[1:3]) == row[0]}


@properties
@given(STEPS)
def test_nothing_is_forgotten_that_may_be_looked_at(
    steps: list[tuple[int, list[tuple[int, tuple[str, str | None], int]], int | None]],
) -> None:
    recent, rows, now, begin = Recent(SHAPE, ["name", "segment"], KEPT), list[Row](), 0, 0
    for forth, bars, behind in steps:
        new = sorted({(now + at, *name, rate) for at, name, rate in bars}, key=str)
        recent.add(frame(new))
        rows += new
        now += 60 + forth
        if behind is None:
            continue
        begin = max(begin, now - behind)
        found = recent.since(begin)
        assert dict(found.schema) == SHAPE
        given_rows: list[Row] = found.rows()
        assert len(given_rows) == len(set(given_rows)), "each row once"
        assert needed(rows, begin) <= set(given_rows) <= set(rows)
        assert found["second"].is_sorted()


@properties
@given(STEPS)
def test_who_does_not_say_what_is_looked_at_gets_everything(
    steps: list[tuple[int, list[tuple[int, tuple[str, str | None], int]], int | None]],
) -> None:
    recent, rows, now = Recent(SHAPE, ["name", "segment"], KEPT), list[Row](), 0
    for forth, bars, _ in steps:
        new = sorted({(now + at, *name, rate) for at, name, rate in bars}, key=str)
        recent.add(frame(new))
        rows += new
        now += 60 + forth
        assert sorted(recent.since(None).rows(), key=str) == sorted(rows, key=str)


def test_what_is_old_is_forgotten_in_the_end() -> None:
    recent = Recent(SHAPE, ["name", "segment"], KEPT)
    for second in range(10_000):
        recent.add(frame([(second, "A", None, 1), (second, "A", None, 2), (second, "B", "x", 1)][: 2 + (second < 9)]))
        rows = recent.since(second + 1).rows()
        assert len(rows) <= 2 * (KEPT + KEPT // 8 + 2) + 12
    assert [row for row in rows if row[1] == "B"] == [(8, "B", "x", 1)], "the last of a series that fell silent"
    assert rows[:3] == [(8, "B", "x", 1), *((row[0], "A", None, i + 1) for i, row in enumerate(rows[1:3]))]


@pytest.mark.parametrize("begin", [None, 0, 10**9])
def test_of_nothing_nothing_is_kept(begin: int | None) -> None:
    recent = Recent(SHAPE, ["name"], KEPT)
    recent.add(frame([]))
    assert dict(recent.since(begin).schema) == SHAPE
    assert recent.since(begin).is_empty()
