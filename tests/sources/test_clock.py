"""The clock of a story: it stands, runs faster or slower than the wall, and stops."""

from __future__ import annotations

from math import inf, nan

import pytest

from monitor.sources.clock import StoryClock

START_US = 1_700_000_000_000_000
END_US = START_US + 3_600_000_000


class Wall:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def wall() -> Wall:
    return Wall()


def test_it_stands_at_its_start_until_it_begins(wall: Wall) -> None:
    clock = StoryClock(START_US, END_US, 60, wall)
    wall.seconds += 10
    assert clock.now_us() == START_US
    assert not clock.has_ended
    clock.begin()
    assert clock.now_us() == START_US, "what passed before it began does not count"


@pytest.mark.parametrize("speed", [0.25, 1.0, 60.0, 21_600.0])
def test_it_runs_at_its_speed(wall: Wall, speed: float) -> None:
    clock = StoryClock(START_US, START_US + 10**15, speed, wall)
    clock.begin()
    for seconds in (0.5, 2.0, 100.0):
        wall.seconds = 1_000.0 + seconds
        assert clock.now_us() == START_US + round(seconds * speed * 1_000_000)


def test_it_stops_at_its_end(wall: Wall) -> None:
    clock = StoryClock(START_US, END_US, 60, wall)
    clock.begin()
    wall.seconds += 59.999
    assert (clock.now_us() < END_US, clock.has_ended) == (True, False)
    wall.seconds += 0.001
    assert (clock.now_us(), clock.has_ended) == (END_US, True)
    wall.seconds += 1e9
    assert (clock.now_us(), clock.has_ended) == (END_US, True)


def test_one_that_starts_at_its_end_has_ended_before_it_begins(wall: Wall) -> None:
    clock = StoryClock(END_US, END_US, 1, wall)
    assert (clock.now_us(), clock.has_ended) == (END_US, True)


@pytest.mark.parametrize("speed", [0.0, -1.0, nan, inf])
def test_a_speed_that_cannot_be_is_refused(wall: Wall, speed: float) -> None:
    with pytest.raises(ValueError, match=r"speed .*a finite number above 0 is needed"):
        StoryClock(START_US, END_US, speed, wall)
