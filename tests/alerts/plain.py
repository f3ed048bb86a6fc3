"""Levels once more, as a loop that anyone can follow: one label set, one clock, second after second."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass(frozen=True)
class Rule:
    """Thresholds in force: None is no such level, and it is left at once; all None: no thresholds apply."""

    warning: tuple[float, float] | None = None
    critical: tuple[float, float] | None = None
    wait_in: int = 0
    wait_out: int = 0
    sign: int = 1


NO_RULE = Rule()


@dataclass(frozen=True)
class Point:
    """A change point: from this tick on the value is this; None: absent or blind."""

    tick: int
    value: float | None
    rule: Rule = NO_RULE
    is_partial: bool = False


@dataclass
class Latch:
    """Set when the value has been at or past `enter` long enough, reset when strictly past `exit` long enough."""

    is_set: bool = False
    inside: int = 0
    outside: int = 0

    def wait(
        self, sign: int, edge: tuple[float, float] | None, value: float | None, weight: int, *, is_partial: bool
    ) -> None:
        """The value stood for this weight; a missing value neither adds nor ends, missing thresholds end.

        A partial value that is low is as good as missing.
        """
        if edge is None:
            self.inside = self.outside = 0
        if value is None or edge is None:
            return
        enter, leave = edge
        if sign * value >= sign * enter:
            self.inside += weight
        elif not is_partial:
            self.inside = 0
        if sign * value >= sign * leave:
            self.outside = 0
        elif not is_partial:
            self.outside += weight

    def act(
        self,
        sign: int,
        edge: tuple[float, float] | None,
        value: float | None,
        wait_in: int,
        wait_out: int,
        *,
        is_partial: bool,
    ) -> None:
        if edge is None:
            self.is_set = False
        if value is None or edge is None:
            return
        enter, leave = edge
        if sign * value >= sign * enter and self.inside >= wait_in:
            self.is_set = True
        elif sign * value < sign * leave and self.outside >= wait_out and not is_partial:
            self.is_set = False


@dataclass
class Levels:
    """The two latches of a label set."""

    warning: Latch = field(default_factory=Latch)
    critical: Latch = field(default_factory=Latch)

    @property
    def state(self) -> tuple[bool, bool]:
        return self.warning.is_set, self.critical.is_set

    def wait(self, point: Point, weight: int) -> None:
        rule, is_partial = point.rule, point.is_partial
        self.warning.wait(rule.sign, rule.warning, point.value, weight, is_partial=is_partial)
        self.critical.wait(rule.sign, rule.critical, point.value, weight, is_partial=is_partial)

    def act(self, point: Point) -> None:
        rule, is_partial = point.rule, point.is_partial
        self.warning.act(rule.sign, rule.warning, point.value, rule.wait_in, rule.wait_out, is_partial=is_partial)
        self.critical.act(rule.sign, rule.critical, point.value, rule.wait_in, rule.wait_out, is_partial=is_partial)


def over_time(
    points: Sequence[Point], seconds: Sequence[int], clock: Callable[[int], int]
) -> Iterator[tuple[int, tuple[bool, bool]]]:
    """The latches at each of these seconds, of values that stand from their tick to the next.

    Args:
        points: in the order of ticks.
        seconds: rising, every second at which the clock runs and every point's tick among them.
        clock: how many seconds of holds have gone by at an epoch second.
    """
    levels, standing, before = Levels(), Point(0, None), 0
    at = {point.tick: point for point in points}
    for second in seconds:
        if second < points[0].tick:
            continue
        now = clock(second)
        levels.wait(standing, now - before)
        standing, before = at.get(second, standing), now
        levels.wait(standing, 0)
        levels.act(standing)
        yield second, levels.state


def over_prints(points: Sequence[Point]) -> Iterator[tuple[bool, bool]]:
    """The latches at each of these published values, in the order of their value dates."""
    levels = Levels()
    for point in points:
        levels.wait(point, 0)
        levels.act(point)
        levels.wait(point, 1)
        yield levels.state
