"""A bad print is no stress: a feed with dirt in it raises no alert on a calm day, and hides none on another.

`DIRTY_DAYS=200 pytest tests/dirty` looks at many more days than CI has time for.
"""

from __future__ import annotations

import os
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from monitor.pipeline import Pipeline
from monitor.results import Transition
from monitor.signals import CATALOGUE
from monitor.sources.scenario.securities import SECURITIES
from tests.dirty.calm_day import (
    BEGIN,
    HOUR,
    SHARE_OF_BAD,
    Bad,
    Jump,
    Print,
    bad_prints,
    calm,
    log_of,
    past,
    with_bad_prints,
    with_jump,
)
from tests.signals.events import CALENDAR, S, batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.dirty.calm_day import Quote

TREASURY: Final = [signal for signal in CATALOGUE if signal.segment == "treasury"]
DISPERSION: Final = "treasury_dispersion_32nds"
HOURS: Final = 2
MINUTE: Final = 60
WINDOW: Final = 5 * MINUTE
"""Of the mean spread."""
DAYS: Final = int(os.environ.get("DIRTY_DAYS", "2"))
EACH_ONCE: Final = (Phase.explicit, Phase.generate)
"""A smaller seed is no smaller example."""


def told(quotes: Sequence[Quote], *, only: str | None = None) -> list[Transition]:
    """The alert transitions of the day, as if no more than `only` were quoted."""
    pipeline = Pipeline(TREASURY, CALENDAR, begin=BEGIN // S)
    log = [event for event in past(HOURS) + log_of(quotes) if only in (None, event.fields["instrument"])]
    for piece in batches(log):
        for _, batch in piece:
            pipeline.ingest(batch)
    pipeline.finish()
    return [each for output in pipeline.advance((BEGIN + HOURS * HOUR) // S) for each in output.transitions]


@cache
def clean() -> tuple[Quote, ...]:
    return calm(1, HOURS)


def minutes_of(prints: Sequence[Print], quotes: Sequence[Quote]) -> set[tuple[str, int]]:
    """(issue, minute) of bad prints."""
    bad = [quotes[each.place] for each in prints]
    return {(SECURITIES[quote.issue].instrument, quote.ts_us // S // MINUTE) for quote in bad}


def drawn(seed: int) -> list[Print]:
    return bad_prints(Random(seed), clean())


def test_the_calm_day_is_calm() -> None:
    assert told(clean()) == []


def test_the_days_are_as_dirty_as_they_say() -> None:
    prints = drawn(1)
    assert SHARE_OF_BAD * 0.95 < len(prints) / len(clean()) < SHARE_OF_BAD * 1.01
    assert {each.kind for each in prints} == set(Bad)
    assert len({clean()[each.place].issue for each in prints}) > 10


@given(st.integers(0, 1 << 32))
@settings(deadline=None, max_examples=DAYS, phases=EACH_ONCE)
def test_bad_prints_raise_no_alert(seed: int) -> None:
    """None outside their own minutes, and dispersion none at all."""
    prints = drawn(seed)
    transitions = told(with_bad_prints(clean(), prints))
    own = minutes_of(prints, clean())
    # A second is seen by the tick after it.
    strange = [t for t in transitions if (t.labels.get("instrument"), (t.tick - 1) // MINUTE) not in own]
    assert not strange
    assert not [each for each in transitions if each.signal == DISPERSION]


@given(st.integers(0, 1 << 32), st.integers(10 * MINUTE, HOURS * 3_600 - 26 * MINUTE))
@settings(deadline=None, max_examples=max(1, DAYS // 2), phases=EACH_ONCE)
def test_a_jump_is_seen_at_once_and_cleared_soon_in_a_dirty_feed_too(seed: int, begin: int) -> None:
    """All prices move by points, and all spreads widen, for one window of five minutes."""
    begin += BEGIN // S
    end = begin + WINDOW
    jumped = with_jump(clean(), Jump(begin * S, end * S, points=2, times_as_wide=8))
    seen = [each for each in told(with_bad_prints(jumped, drawn(seed))) if each.signal == DISPERSION]
    assert {each.labels["instrument"] for each in seen} == {"UST-7Y", "UST-10Y"}
    for issue in ("UST-7Y", "UST-10Y"):
        first, *_, last = [each for each in seen if each.labels["instrument"] == issue]
        assert begin < first.tick <= end
        assert first.before == "calm"
        assert end < last.tick <= end + 20 * MINUTE
        assert last.after == "calm"
        assert [each.after for each in seen if each.labels["instrument"] == issue].count("critical") == 1


def at(issue: str, minute: float) -> int:
    """The place of the first quote of an issue after so many minutes of the session."""
    return next(
        place
        for place, quote in enumerate(clean())
        if SECURITIES[quote.issue].instrument == issue and quote.ts_us >= BEGIN + minute * MINUTE * S
    )


@pytest.mark.parametrize("minutes", [(30, 34.9), (30, 30.5, 31, 31.5, 32, 32.5, 33, 33.5, 34, 34.5)])
def test_the_hold_outlasts_what_lies_within_one_window(minutes: tuple[float, ...]) -> None:
    """A mean of five minutes is high for five minutes after the last of them, and a level waits for ten."""
    prints = [Print(at("UST-2Y", minute), Bad.ASK_HIGH, 5) for minute in minutes]
    assert told(with_bad_prints(clean(), prints), only="UST-2Y") == []


def test_three_wide_prints_in_ten_minutes_are_no_wide_market() -> None:
    """Each stands for 2 to 5 s, and counts for no more than the widest market; in full, they would outlast the hold."""
    prints = [Print(at("UST-2Y", minute), Bad.ASK_HIGH, 5) for minute in (30, 34, 38)]
    assert told(with_bad_prints(clean(), prints), only="UST-2Y") == []
