"""How it was: the figures of the carried history, as sentences and small tables."""

from __future__ import annotations

import json
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monitor.markdown import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitor.runbooks.places import Place

DAYS_A_YEAR: Final = 250
"""Value dates."""
_CALM, _WARNING, _CRITICAL = "calm", "warning", "critical"
_FEWEST_FOLDED: Final = 3
"""So many calm days in a row, or more, are one line."""
_SHORT: Final = 125
"""Of fewer value dates outside the crises nothing can be said of a year."""

_HOW_TO_READ: Final = (
    "From the carried history, replayed: values by value date, levels by the default thresholds. What is blind, "
    "as on a day that repeats an earlier one, has no value and keeps its level."
)
_FEDINVEST: Final = (
    "They come of FedInvest's quotes: indicative, one a day, of an hour that it does not state, and not those of "
    "dealers among each other. The monitor has them at 15:30 New York."
)
_ONE_PAIR: Final = (
    "One pair is carried, and no tenor's whole list: 912810SH2, a 30-year off the run, less 912810SL3, on the run."
)
_OF_SEGMENT: Final = {"treasury": [_FEDINVEST]}
_OF_SIGNAL: Final = {"treasury_off_the_run_excess_32nds": [_ONE_PAIR]}
"""What has to be known of the carried data."""

FILE: Final = Path(__file__).with_name("figures.json")
"""The figures that the package carries."""


@cache
def figures() -> dict[str, Any]:
    """The figures that the package carries; `python -m tests.runbooks.figures` makes them."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


def history_of(signal: Mapping[str, Any], place: Place) -> str:
    """What is known of September 2019 and March 2020 of a signal of the catalogue."""
    found = figures()["signals"].get(signal["name"])
    return _none_is_carried(signal) if found is None else _carried(signal, found, place)


def _none_is_carried(signal: Mapping[str, Any]) -> str:
    reasons = list(dict.fromkeys(row["reason"] for row in signal["thresholds"]))
    quoted = "\n\n".join(f"> {reason}" for reason in reasons)
    return (
        "No history of it is carried, so there are no figures of September 2019 or March 2020 to hold today's value "
        f"against. What the thresholds rest on:\n\n{quoted}\n\nPublished: {signal['source']}."
    )


def _carried(signal: Mapping[str, Any], found: Mapping[str, Any], place: Place) -> str:
    unit, sets = signal["unit"], found["sets"]
    parts = [_HOW_TO_READ, *_OF_SEGMENT.get(signal["segment"], ()), *_OF_SIGNAL.get(signal["name"], ())]
    for name, (first, last) in figures()["windows"].items():
        those = [each for each in sets if each["days"][name]]
        if not those:
            parts.append(f"**{name}.** None is carried.")
            continue
        sentences = [_sentence(each, name, unit, is_named=len(sets) > 1) for each in those]
        told = f" {sentences[0]}" if len(sentences) == 1 else "".join(f"\n- {sentence}" for sentence in sentences)
        parts += [f"**{name}** ({first} to {last}).{told}", _table(those, name, unit)]
    return "\n\n".join([*parts, _outside(signal, found["outside"], place)])


def _sentence(each: Mapping[str, Any], name: str, unit: str, *, is_named: bool) -> str:
    spell = each["spells"][name]
    worst = f"the worst was {_number(spell['worst']['value'])} {unit} on {spell['worst']['day']}"
    critical, warning = spell[_CRITICAL], spell[_WARNING]
    told = [_stood(critical, "critical")] if critical else []
    if warning and warning != critical:
        told.append(_stood(warning, "at warning or above"))
    whose = f"{each['of']}: " if is_named else ""
    sentence = f"{whose}{'; '.join([*(told or ['calm throughout']), worst])}."
    return sentence if is_named else sentence[0].upper() + sentence[1:]


def _stood(level: Mapping[str, Any], words: str) -> str:
    if level["days"] == 1:
        return f"{words} on {level['first']} only"
    return f"{words} on {level['days']} value dates, the first {level['first']}, the last {level['last']}"


def _table(sets: Sequence[Mapping[str, Any]], name: str, unit: str) -> str:
    """A row a day; the thresholds of a single label set in a column, those of several in their heads."""
    by_day: dict[str, list[Mapping[str, Any] | None]] = {}
    for place, each in enumerate(sets):
        for day in each["days"][name]:
            by_day.setdefault(day["day"], [None] * len(sets))[place] = day
    is_one = len(sets) == 1
    columns = [f"{unit}"] if is_one else [f"{each['of']}, {_edges(each['days'][name][0])}" for each in sets]
    rows = []
    for day, states in _folded(sorted(by_day.items())):
        edges = {_edges(one, with_flag=True) for one in states[0]} if is_one else set()
        rows.append([day, *(_cell(some) for some in states), *([", ".join(sorted(edges))] if is_one else [])])
    return table(["day", *columns, *(["warning/critical from"] if is_one else [])], rows)


_Days = list["Mapping[str, Any] | None"]


def _folded(days: Iterable[tuple[str, _Days]]) -> list[tuple[str, list[_Days]]]:
    """A line a day, or several calm days: what is said of the day, and by label set its days."""
    lines: list[tuple[str, list[_Days]]] = []
    for is_calm, group in groupby(days, key=lambda day: all(_is_plain(each) for each in day[1])):
        run = list(group)
        together = [run] if is_calm and len(run) >= _FEWEST_FOLDED else [[one] for one in run]
        for some in together:
            said = some[0][0] if len(some) == 1 else f"{some[0][0]} to {some[-1][0]}"
            lines.append((said, [list(column) for column in zip(*(states for _, states in some), strict=True)]))
    return lines


def _is_plain(day: Mapping[str, Any] | None) -> bool:
    return day is not None and day["level"] == _CALM and day["value"] is not None


def _cell(days: _Days) -> str:
    there = [day for day in days if day is not None]
    if not there:
        return ""
    level, values = there[0]["level"], [day["value"] for day in there if day["value"] is not None]
    if not values:
        said = "blind" if there[0]["blind"] else "no value"
        return said if level == _CALM else f"{said}, {level}"
    low, high = min(values), max(values)
    number = _number(low) if low == high else f"{_number(low)} to {_number(high)}"
    return {_WARNING: f"{number} warning", _CRITICAL: f"**{number} critical**"}.get(level, number)


def _edges(day: Mapping[str, Any] | None, *, with_flag: bool = False) -> str:
    if day is None:
        return ""
    flag = f" ({day['flag']})" if with_flag and day["flag"] else ""
    return "/".join("none" if enter is None else _number(enter) for enter in day["enters"]) + flag


def _outside(signal: Mapping[str, Any], outside: Sequence[Mapping[str, Any]], place: Place) -> str:
    rows = {row["row"]: row["applies_to"] for row in signal["thresholds"]}
    told = [_outside_of(each, rows.get(each["row"], each["row"]) if len(outside) > 1 else "") for each in outside]
    sentence = f" {told[0]}" if len(told) == 1 else "".join(f"\n- {each}" for each in told)
    more = f"{place.link_to_document('truth.md')} says which days count as a crisis."
    return f"**Outside the crises.**{sentence}\n\n{more}"


def _outside_of(each: Mapping[str, Any], name: str) -> str:
    judged, alarms = each["judged"], each["alarms"]
    whose = f" ({name})" if name else ""
    if judged < _SHORT:
        return f"{judged} value dates{whose}, {len(alarms) or 'none'} of them not calm: too few to judge by."
    if not alarms:
        return f"Of {judged:,} value dates{whose} all were calm."
    critical = sum(day["level"] == _CRITICAL for day in alarms)
    warning, critical = ((count * DAYS_A_YEAR / judged) for count in (len(alarms) - critical, critical))
    rates = f"{warning:.1f} value dates a year at warning, {critical:.1f} at critical"
    days = ", ".join(f"{_alarm(day)}" for day in alarms)
    return f"Of {judged:,} value dates{whose} {len(alarms)} were not calm ({rates}): {days}."


def _alarm(day: Mapping[str, Any]) -> str:
    said = f"{day['day']} {day['flag']}".rstrip() + f" ({_number(day['value'])})"
    return f"**{said} critical**" if day["level"] == _CRITICAL else said


def history_of_index(place: Place) -> str:
    """What the index and the regime were of repo and Treasury alone."""
    coverage = _percent(figures()["index"]["March 2020"][0]["coverage"])
    introduction = (
        f"From the carried history, by value date. Only repo and Treasury are carried: the coverage is {coverage}, too "
        "little to call it a crisis. Low and high are the index were all that is absent calm, or at its worst. "
        f"{place.link_to_document('truth.md')} has it with a stand-in for credit, and against the OFR's index."
    )
    parts = [introduction]
    for name, days in figures()["index"].items():
        worst = max(days, key=lambda day: day["index"])
        stressed = [day["day"] for day in days if day["regime"] == "stressed"]
        capped = [day["day"] for day in days if day["capped"]]
        told = f"stressed from {stressed[0]} to {stressed[-1]}" if stressed else "never stressed"
        if capped:
            told += f", capped on {' and '.join(capped)}"
        rows = [
            (
                day["day"], f"{day['index']:.2f}", f"{day['low']:.2f} to {day['high']:.2f}", f"{day['treasury']:.2f}",
                f"{day['repo']:.2f}", f"{day['regime']}{', capped' if day['capped'] else ''}",
            )
            for day in days
        ]  # fmt: skip
        told = f"{told[0].upper()}{told[1:]}; highest {worst['index']:.2f} on {worst['day']}."
        parts.append(f"**{name}** ({days[0]['day']} to {days[-1]['day']}). {told}")
        parts.append(table(("day", "index", "low to high", "Treasury", "repo", "regime"), rows))
    return "\n\n".join(parts)


def _percent(ratio: float) -> str:
    return f"{ratio:.0%}".replace("%", " %")


def _number(value: float) -> str:
    return f"{round(value, 2):g}"
