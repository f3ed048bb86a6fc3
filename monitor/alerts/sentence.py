"""A transition in a sentence for people: the number with its unit, the level, since when, the threshold."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, Protocol
from zoneinfo import ZoneInfo

from monitor.calendar import NEW_YORK
from monitor.results import BLIND, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

_ZONE: Final = ZoneInfo(NEW_YORK)
_THIRTY_SECONDS: Final = "32nds"
_HUNDRED: Final = 100
_WHOLE: Final = 10
"""From this size on a number is told without decimals."""


class Named(Protocol):
    """What a sentence needs to know of a signal."""

    @property
    def title(self) -> str:
        """A few words for people."""

    @property
    def unit(self) -> str:
        """Of its values."""


def sentence(
    signal: Named,
    labels: Mapping[str, str],
    state: str,
    since: int,
    value: float | None,
    threshold: float | None,
    value_date: date | None,
    *,
    is_ruled: bool = True,
) -> str:
    """What happened.

    Args:
        signal: whose level changed.
        labels: where.
        state: the word of the state that begins.
        since: since when, epoch seconds.
        value: in the signal's unit; None while blind.
        threshold: the edge that was crossed; None into and out of blindness.
        value_date: the day that the value is for.
        is_ruled: whether thresholds apply to the label set; if not, that is why the state ends.
    """
    where = ", ".join(labels.values())
    subject = f"{signal.title} {where}".strip()
    when = f"{new_york(since)} New York"
    if state == BLIND:
        return f"{subject}: no sound data since {when}; its level stays until there is."
    said = "no value" if value is None else quantity(value, signal.unit)
    said += f" for {value_date}" if value_date else ""
    crossed = "" if threshold is None else f" (threshold {quantity(threshold, signal.unit)})"
    if not is_ruled:
        crossed = " (retired: nobody quotes it any more)" if value is None else " (no thresholds apply any more)"
    verb = "calm again" if state == Level.CALM.word else state
    return f"{subject}: {said}, {verb} since {when}{crossed}."


def new_york(epoch_second: int) -> str:
    """An event time as New York's clocks show it."""
    return datetime.fromtimestamp(epoch_second, UTC).astimezone(_ZONE).strftime("%Y-%m-%d %H:%M")


def quantity(value: float, unit: str) -> str:
    """A number with its unit and as many digits as mean something.

    >>> quantity(217.0, "bp"), quantity(4.5, "bp"), quantity(0.5, "ratio"), quantity(0.025, "ratio")
    ('217 bp', '4.5 bp', '50 %', '2.5 %')
    >>> quantity(0.35, "32nds"), quantity(5_162.0, "days")
    ('0.35 32nds', '5,162 days')
    >>> quantity(1_234.5, "32nds")
    '1234 32nds'
    """
    if unit == "ratio":
        percent = 100 * value
        digits = 0 if abs(percent) >= _WHOLE or round(percent, 1) == round(percent) else 1
        return f"{percent:z.{digits}f} %"
    if unit == _THIRTY_SECONDS:  # the thresholds of the short end are hundredths apart
        return f"{value:z.0f} {unit}" if abs(value) >= _HUNDRED else f"{value:z.3g} {unit}"
    digits = 0 if abs(value) >= _WHOLE or value == int(value) else 1
    return f"{value:z,.{digits}f} {unit}".rstrip()
