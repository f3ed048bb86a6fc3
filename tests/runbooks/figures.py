"""`python -m tests.runbooks.figures`: writes `monitor/runbooks/figures.json`, from a replay of the carried history."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from polars import col as c

from monitor.results import Level
from monitor.runbooks.history import FILE
from monitor.signals import CATALOGUE
from tests.truth.carried import CALENDAR, STRESS, is_stress, steps
from tests.truth.composite import carried_alone
from tests.truth.page import MARCH, SEPTEMBER

if TYPE_CHECKING:
    from datetime import date

    import polars as pl

    from monitor.signals.model import Signal
    from monitor.signals.thresholds import ThresholdRow

SHOWN: Final = {"September 2019": SEPTEMBER, "March 2020": MARCH}
"""The days of the tables."""
SPELLS: Final = {"September 2019": STRESS[1], "March 2020": STRESS[2]}
"""The windows of stress that are summed up."""
ISSUES: Final = {
    "912828YB0": "10-year on the run (912828YB0)",
    "912828Z94": "10-year on the run (912828Z94)",
    "912810SL3": "30-year on the run (912810SL3)",
    "912810SH2": "30-year off the run (912810SH2)",
}
"""What the carried issues are, by PROVENANCE.md."""
_DIGITS: Final = 3


def figures() -> dict[str, Any]:
    """All figures, as they stand in the file."""
    found = {signal.name: _of_signal(signal) for signal in CATALOGUE}
    return {
        "windows": {name: [str(spell.first), str(spell.last)] for name, spell in SPELLS.items()},
        "signals": {name: each for name, each in found.items() if each["sets"]},
        "index": {name: _index(*days) for name, days in SHOWN.items()},
    }


def _of_signal(signal: Signal) -> dict[str, Any]:
    mine = steps().filter(c("signal") == signal.name, c("level").is_not_null())
    rows = {row.id: row for row in signal.thresholds}
    sets = [_of_set(frame, rows) for _, frame in mine.group_by(*signal.labels, maintain_order=True)]
    sets.sort(key=lambda each: list(rows).index(each["row"]))
    return {"sets": sets, "outside": [_outside(mine, row) for row in rows.values() if row.id in set(mine["row"])]}


def _outside(frame: pl.DataFrame, row: ThresholdRow) -> dict[str, Any]:
    """When the label sets of a row were not calm outside the windows of stress."""
    days = (
        frame.filter(c("row") == row.id, ~c("blind"), ~is_stress(c("value_date")))
        .group_by("value_date")
        .agg(c("level").max(), c("value").last())
        .sort("value_date")
    )
    alarms = [_day(day | {"blind": False}, row) for day in days.filter(c("level") > int(Level.CALM)).to_dicts()]
    return {"row": row.id, "judged": days.height, "alarms": alarms}


def _of_set(frame: pl.DataFrame, rows: dict[str, ThresholdRow]) -> dict[str, Any]:
    """One label set: its days around the two crises, and what each crisis was in all."""
    # What is blind or blank has the row that it had before.
    frame = frame.sort("value_date").with_columns(c("row").forward_fill())
    first = frame.row(0, named=True)
    row = rows[first["row"]]
    return {
        "of": ISSUES.get(first["instrument"] or "", first["instrument"] or first["tenor"]),
        "row": row.id,
        "days": {name: [_day(each, row) for each in _between(frame, *days)] for name, days in SHOWN.items()},
        "spells": {
            name: _spell(_between(frame, spell.first, spell.last), row.sign)
            for name, spell in SPELLS.items()
            if _between(frame, spell.first, spell.last)
        },
    }


def _between(frame: pl.DataFrame, first: date, last: date) -> list[dict[str, Any]]:
    return frame.filter(c("value_date").is_between(first, last)).to_dicts()


def _day(step: dict[str, Any], row: ThresholdRow) -> dict[str, Any]:
    flags = CALENDAR.flags(step["value_date"])
    return {
        "day": str(step["value_date"]),
        "value": _rounded(step["value"]),
        "level": Level(step["level"]).word,
        "blind": step["blind"],
        "enters": list(row.enters(flags)),
        "flag": next((flag for flag in flags if flag in row.overrides), ""),
    }


def _spell(days: list[dict[str, Any]], sign: int) -> dict[str, Any]:
    """The worst day, and at which days each level, or a higher one, stood."""
    worst = max((day for day in days if day["value"] is not None), key=lambda day: sign * day["value"])
    levels = {}
    for level in (Level.WARNING, Level.CRITICAL):
        at = [str(day["value_date"]) for day in days if day["level"] >= level]
        levels[level.word] = {"first": at[0], "last": at[-1], "days": len(at)} if at else None
    return {"worst": {"day": str(worst["value_date"]), "value": _rounded(worst["value"])}, **levels}


def _index(first: date, last: date) -> list[dict[str, Any]]:
    rows = carried_alone().filter(c("day").is_between(first, last)).to_dicts()
    return [
        {
            "day": str(row["day"]),
            "index": _rounded(row["stress_index"]),
            "low": _rounded(row["low"]),
            "high": _rounded(row["high"]),
            "coverage": _rounded(row["coverage"]),
            "regime": row["regime"],
            "capped": row["capped"],
            "treasury": _rounded(row["treasury"]),
            "repo": _rounded(row["repo"]),
        }
        for row in rows
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def as_text() -> str:
    """The text of the file: a day a line."""
    return re.sub(r"\{[^{}]*\}", lambda day: " ".join(day[0].split()), json.dumps(figures(), indent=1)) + "\n"


if __name__ == "__main__":
    FILE.write_bytes(as_text().encode())
