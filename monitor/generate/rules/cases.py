"""Unit tests of rules, as promtool reads them: series by phases, and what fires at a time, with every word of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STEP_SECONDS: Final = 30
"""Of scrapes and evaluations in the tests: slower than any that is sensible, for what holds then holds."""

Phase = tuple[int, float | None]
"""For so many scrapes a value; None: the monitor shows no such series, or no answer comes."""
Values = Sequence[Phase] | str
"""Phases, or what promtool takes as they stand: `0+5x10`."""


@dataclass(frozen=True, slots=True)
class Fires:
    """One alert as it is sent."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(slots=True)
class Story:
    """Series, and what fires when.

    Attributes:
        name: what happens.
        series: a series with its values.
        looks: (scrape number, alert's name, what fires).
    """

    name: str
    series: dict[str, Values] = field(default_factory=dict)
    looks: list[tuple[int, str, list[Fires]]] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """As promtool has it."""
        return {
            "name": self.name,
            "interval": f"{STEP_SECONDS}s",
            "input_series": [
                {"series": name, "values": values if isinstance(values, str) else in_steps(values)}
                for name, values in self.series.items()
            ],
            "alert_rule_test": [
                {
                    "eval_time": _duration(step * STEP_SECONDS),
                    "alertname": alert,
                    "exp_alerts": [
                        {"exp_labels": dict(each.labels), "exp_annotations": dict(each.annotations)} for each in fires
                    ],
                }
                for step, alert, fires in self.looks
            ],
        }


def tests(stories: Iterable[Story], groups: Sequence[str], files: Sequence[str]) -> dict[str, Any]:
    """A file of tests."""
    return {
        "rule_files": list(files),
        "evaluation_interval": f"{STEP_SECONDS}s",
        "group_eval_order": list(groups),
        "tests": [story.as_data() for story in stories],
    }


def in_steps(phases: Iterable[Phase]) -> str:
    """The values of a series; where it ends there is a mark, as Prometheus makes one at once when a scrape fails.

    >>> in_steps([(2, 0), (3, None), (1, 217)]), in_steps([(2, None), (2, 0.5)])
    ('0x1 stale _x2 217x0', '_x2 0.5x1')
    """
    parts: list[str] = []
    was_there = False
    for count, value in phases:
        if value is not None:
            parts.append(f"{value!r}x{count - 1}")
        elif was_there:
            parts.append("stale" + (f" _x{count - 1}" if count > 1 else ""))
        else:
            parts.append(f"_x{count}")
        was_there = value is not None
    return " ".join(parts)


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m" + (f"{rest}s" if rest else "")


def utc(epoch_second: float) -> str:
    """A minute as alerts say it."""
    return datetime.fromtimestamp(epoch_second, UTC).strftime("%Y-%m-%d %H:%M") + " UTC"


def selector(metric: str, labels: Mapping[str, str]) -> str:
    """A series by its name and labels.

    >>> selector("x", {"a": "b", "c": "d"}), selector("x", {})
    ('x{a="b",c="d"}', 'x')
    """
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{inside}}}" if inside else metric
