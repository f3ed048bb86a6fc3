"""Thresholds: what is calm, what a desk should know, what on-call must act on.

Defaults stand beside their signal; the settings override them; the values in force are exported, and boards draw
them. A row that is not in order is refused at start, because a threshold that cannot fire is a wrong calm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from monitor.calendar import EVENT, FLAG_ORDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

SECONDS_PER_MINUTE: Final = 60


class Notify(StrEnum):
    """Who is told when a level changes."""

    NONE = "none"
    """Shown and scored only."""
    DESK = "desk"
    """The trading desk, whatever the level."""
    ON_CALL = "on-call"
    """The desk for a warning, on-call staff for a critical level."""


@dataclass(frozen=True, slots=True)
class Hold:
    """How long a value must stand past a threshold before the level follows.

    A row may be for both sorts of values, as of an issue that is quoted all day or printed at its end.

    Attributes:
        seconds: of the session clock, which stands still outside sessions; counts for values of a window.
        prints: how many published values in a row; counts for values that come one a day.
    """

    seconds: int = 0
    prints: int = 1

    def __post_init__(self) -> None:
        if self.seconds < 0 or self.prints < 1:
            raise ValueError(f"a hold of {self.seconds} s and {self.prints} prints cannot be waited for")

    def __str__(self) -> str:
        if self.seconds:
            return f"{self.seconds // SECONDS_PER_MINUTE} min"
        return "at once" if self.prints == 1 else f"{self.prints} prints"


AT_ONCE: Final = Hold()


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a level is entered, and left again: entered at or past `enter`, left strictly past `exit`."""

    enter: float
    exit: float


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """The thresholds of some of a signal's label sets.

    Attributes:
        id: names the row in `market_signal_threshold{row}` and in the settings.
        applies: over the label columns and the views' attributes: which label sets the row is for.
        applies_to: the same in words.
        reason: why these numbers.
        calm: the value that scores 0; None: no score.
        warning: None: no such level.
        critical: None: no such level.
        overrides: calendar flag to (warning, critical) enter values on flagged value dates, or `E` to those within the
            user's events; the most specific that the row names wins, in the order E, Y, Q, M, C. Exits are the row's
            own.
        hold_in: before a level is entered.
        hold_out: before it is left.
        low_is_bad: thresholds are undershot.
        notify: who is told.
        headline: the headline of the segment that these label sets score for; None: they are shown, and not scored.
    """

    id: str
    applies: pl.Expr = field(compare=False, hash=False)
    applies_to: str
    reason: str
    calm: float | None = None
    warning: Edge | None = None
    critical: Edge | None = None
    overrides: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    hold_in: Hold = AT_ONCE
    hold_out: Hold = AT_ONCE
    low_is_bad: bool = False
    notify: Notify = Notify.ON_CALL
    headline: str | None = None

    def __post_init__(self) -> None:
        unknown = set(self.overrides) - {EVENT, *map(str, FLAG_ORDER)}
        if unknown:
            raise ValueError(f"threshold row {self.id}: {sorted(unknown)} is no calendar flag (C, M, Q, Y) and no E")
        if self.headline is not None and (self.calm is None or self.critical is None):
            raise ValueError(f"threshold row {self.id}: a headline is scored, and wants a calm and a critical value")
        sign = self.sign
        edges = [edge for edge in (self.warning, self.critical) if edge is not None]
        for edge in edges:
            if sign * edge.exit > sign * edge.enter:
                raise ValueError(
                    f"threshold row {self.id}: exit {edge.exit:g} is past enter {edge.enter:g}: it would never end"
                )
        enters = {"default": tuple(edge.enter for edge in edges)} | dict(self.overrides)
        for name, values in enters.items():
            anchors = [value for value in (self.calm, *values) if value is not None]
            if any(sign * a >= sign * b for a, b in pairwise(anchors)):
                raise ValueError(
                    f"threshold row {self.id} ({name}): calm, warning and critical must be in strict order, "
                    f"not {anchors}"
                )
        for flag, flagged in self.overrides.items():
            for level, enter in zip((self.warning, self.critical), flagged, strict=True):
                if level is not None and sign * level.exit > sign * enter:
                    raise ValueError(
                        f"threshold row {self.id} ({flag}): exit {level.exit:g} is past enter {enter:g}: "
                        "it would never end"
                    )

    @property
    def sign(self) -> int:
        """1 where high values are bad, -1 where low ones are."""
        return -1 if self.low_is_bad else 1

    def enters(self, flags: str) -> tuple[float | None, float | None]:
        """The warning and critical enter values on a value date with these calendar flags.

        >>> import polars as pl
        >>> row = ThresholdRow("x", pl.lit(True), "all", "", warning=Edge(20, 16), critical=Edge(30, 20),
        ...                    overrides={"Q": (25, 45), "C": (20, 35)})
        >>> row.enters("YQM"), row.enters("C"), row.enters("")
        ((25, 45), (20, 35), (20, 30))
        """
        for flag in (EVENT, *FLAG_ORDER):
            if flag in flags and flag in self.overrides:
                return self.overrides[flag]
        return (
            self.warning.enter if self.warning else None,
            self.critical.enter if self.critical else None,
        )
