"""How something went, in a bounded number of points that lose no peak and bridge no gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Point(NamedTuple):
    """What stood from a tick on.

    Attributes:
        tick: epoch seconds.
        value: None: nothing, which is a gap.
        weight: how bad; of several in one stride the worst stays.
    """

    tick: int
    value: Any
    weight: float


class History(Generic[T]):
    """Points in the order of ticks, at most one a stride, and one more where a gap begins in it.

    When there are too many the stride doubles; once it is as long as it may become, the oldest go.

    Args:
        most: so many strides are kept.
        longest_stride: event seconds.
        merged: of two values in one stride, the one that stays (first) and the other; None: the one that stays.
    """

    __slots__ = ("_longest", "_merged", "_most", "_points", "stride")

    def __init__(self, most: int, longest_stride: int, merged: Callable[[T, T], T] | None = None) -> None:
        self._most, self._longest, self._merged = most, longest_stride, merged
        self._points: list[Point] = []
        self.stride = 1

    def __iter__(self) -> Iterator[Point]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)

    def add(self, tick: int, value: T | None, weight: float = 0.0) -> None:
        """Take in what stands from a tick on; what is older than the newest is left out, as a revision of the past."""
        if self._points and tick < self._points[-1].tick:
            return
        self._take(Point(tick, value, weight))
        while len(self._points) > self._most and self.stride < self._longest:
            self.stride *= 2
            points, self._points = self._points, []
            for point in points:
                self._take(point)
        if len(self._points) > 2 * self._most:
            del self._points[: -self._most]

    def _take(self, point: Point) -> None:
        points = self._points
        if points and points[-1].value is None:
            if point.value is None:
                return
            if self._is_together(point):
                points.pop()  # a gap that ends in the stride in which it began is none
        if not points or point.value is None or not self._is_together(point):
            points.append(point)
        else:
            stays, other = (point, points[-1]) if point.weight >= points[-1].weight else (points[-1], point)
            if self._merged is not None:
                stays = stays._replace(value=self._merged(stays.value, other.value))
            points[-1] = stays

    def _is_together(self, point: Point) -> bool:
        return self._points[-1].tick // self.stride == point.tick // self.stride
