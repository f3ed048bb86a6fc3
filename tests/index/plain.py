"""The stress index by its definition, one tick and one label set after the other: slow, and plain to see."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from monitor.calendar import MarketCalendar
    from monitor.signals.model import Signal

NAMES = ("treasury", "repo", "newissue", "cds", "credit")
WEIGHT = {"treasury": 0.30, "repo": 0.25, "newissue": 0.15, "cds": 0.15, "credit": 0.15}
L = 0.93 ** (1 / 5)
SESSION_SECONDS = 36_000
BANDS = {"elevated": (0.10, 0.07), "stressed": (0.25, 0.18), "crisis": (0.45, 0.35)}


@dataclass
class Member:
    """A label set."""

    signal: str
    row: str | None = None
    score: Fraction | None = None
    blind: bool = False
    blind_since: int | None = None
    level: int | None = None
    newest: date | None = None


def headline(scores: Sequence[Fraction]) -> Fraction | None:
    if not scores:
        return None
    worst = sorted(scores, reverse=True)[: ceil(len(scores) / 4)]
    return sum(worst, Fraction(0)) / len(worst)


def segment(headlines: Iterable[Fraction | None]) -> Fraction | None:
    there = [each for each in headlines if each is not None]
    return (max(there) + sum(there, Fraction(0)) / len(there)) / 2 if there else None


def correlations(before: dict[tuple[str, str], float], scores: dict[str, float | None]) -> dict[tuple[str, str], float]:
    now = {(i, j): L * before[i, j] + (1 - L) * (scores[i] or 0) * (scores[j] or 0) for i in NAMES for j in NAMES}
    return {
        (i, j): 1.0 if i == j else (now[i, j] + 0.005) / sqrt((now[i, i] + 0.01) * (now[j, j] + 0.01))
        for i in NAMES
        for j in NAMES
    }


def quadratic(
    weighed: dict[str, float], together: dict[tuple[str, str], float], worst: Iterable[str] = ()
) -> dict[str, float]:
    """Of each segment, its part; those at their worst go with everything."""
    return {
        i: sum(a * b * (1.0 if i in worst or j in worst else together[i, j]) for j, b in weighed.items())
        for i, a in weighed.items()
    }


class Plain:
    def __init__(self, signals: Sequence[Signal], calendar: MarketCalendar) -> None:
        self.calendar = calendar
        self.segment_of = {s.name: s.segment for s in signals}
        self.headline_of = {(s.name, row.id): row.headline for s in signals for row in s.thresholds}
        self.members: dict[Any, Member] = {}
        self.so_far = {(i, j): 0.0 for i in NAMES for j in NAMES}
        self.latched = dict.fromkeys(BANDS, False)
        self.granted = self.has_begun = False

    def take(self, step: dict[str, Any]) -> None:
        member = self.members.setdefault((step["signal"], step["instrument"]), Member(step["signal"]))
        day = step["value_date"]
        if day is not None:
            if member.newest is not None and day < member.newest:
                return
            member.newest = day
        if step["row"] is None and not step["blind"]:
            self.members[step["signal"], step["instrument"]] = Member(step["signal"], newest=member.newest)
            return
        member.row = member.row if step["row"] is None else step["row"]
        member.level = member.level if step["level"] is None else step["level"]
        member.blind = step["blind"]
        if step["score"] is not None:
            score = Fraction(round(step["score"] * 10**12), 10**12)
            is_kept = step["is_partial"] and member.score is not None and member.score > score
            member.score = member.score if is_kept else score
            member.blind_since = None
        elif step["blind"] and member.blind_since is None:
            member.blind_since = step["tick"]

    def is_lost(self, member: Member, tick: int) -> bool:
        clock = self.calendar.session_seconds
        return member.blind_since is not None and clock(tick) - clock(member.blind_since) > SESSION_SECONDS

    def scores(self, tick: int, *, with_lost: bool) -> dict[str, float | None]:
        found: dict[str, dict[str, list[Fraction]]] = {name: {} for name in NAMES}
        for member in self.members.values():
            name = self.headline_of.get((member.signal, member.row or ""))
            if name and member.score is not None and (with_lost or not self.is_lost(member, tick)):
                found[self.segment_of[member.signal]].setdefault(name, []).append(member.score)
        scores = {name: segment(map(headline, headlines.values())) for name, headlines in found.items()}
        if not with_lost:  # what is lost of a segment counts as long as anything is left of it
            held = self.scores(tick, with_lost=True)
            return {name: None if score is None else held[name] for name, score in scores.items()}
        return {name: None if score is None else float(score) for name, score in scores.items()}

    def index(self, scores: dict[str, float | None]) -> dict[str, Any]:
        there = {name: score for name, score in scores.items() if score is not None}
        coverage = sum(WEIGHT[name] for name in there)
        together = correlations(self.so_far, scores)
        parts = quadratic({name: WEIGHT[name] * score / coverage for name, score in there.items()}, together)
        absent = [name for name in NAMES if name not in there]
        full = {name: WEIGHT[name] * there.get(name, 0.0) for name in NAMES}
        worst = full | {name: WEIGHT[name] for name in absent}
        return {
            "stress_index": sum(parts.values()) if there else None,
            "low": sum(quadratic(full, together).values()),
            "high": sum(quadratic(worst, together, absent).values()),
            "coverage": coverage,
            **{name: scores[name] for name in NAMES},
            **{f"contribution_{name}": parts.get(name) for name in NAMES},
        }

    def row(self, tick: int, *, ends_session: bool) -> dict[str, Any] | None:
        """What there is to say at a tick whose steps were all taken; None before the first score."""
        held = self.scores(tick, with_lost=True)
        if ends_session:
            for i in NAMES:
                for j in NAMES:
                    self.so_far[i, j] = L * self.so_far[i, j] + (1 - L) * ((held[i] or 0) * (held[j] or 0))
        said = self.index(self.scores(tick, with_lost=False))
        known = [x for x in (said["stress_index"], self.index(held)["stress_index"]) if x is not None]
        for name, (enter, leave) in BANDS.items():
            if known and max(known) >= enter:
                self.latched[name] = True
            elif known and max(known) < leave:
                self.latched[name] = False
        bad = sum((said[name] or 0) >= 0.5 for name in NAMES)
        self.granted = self.latched["crisis"] and (self.granted or (said["coverage"] > 0.599 and bad >= 3))
        levels = {
            name: [m.level for m in self.members.values() if self.segment_of[m.signal] == name and m.level is not None]
            for name in NAMES
        }
        is_elevated = self.latched["elevated"] or any(2 in some for some in levels.values())
        said["regime"] = (
            "crisis"
            if self.granted
            else "stressed"
            if self.latched["stressed"]
            else "elevated"
            if is_elevated
            else "calm"
        )
        said["capped"] = self.latched["crisis"] and not self.granted
        for name in NAMES:
            said[f"level_{name}"] = max(levels[name], default=None)
            scored = [
                m.blind
                for m in self.members.values()
                if self.segment_of[m.signal] == name and self.headline_of.get((m.signal, m.row or ""))
            ]
            said[f"blind_{name}"] = any(scored) if scored else None
        self.has_begun = self.has_begun or any(score is not None for score in held.values())
        return said if self.has_begun else None


def rows(signals: Sequence[Signal], calendar: MarketCalendar, steps: Sequence[dict[str, Any]], until: int) -> Any:
    """(tick, row) at every tick at which anything may change."""
    plain = Plain(signals, calendar)
    if not steps:
        return []
    first = steps[0]["tick"]
    days = calendar.days(calendar.new_york_date(first * 10**6), calendar.new_york_date(until * 10**6))
    ends = {end for end in days["session_end"].drop_nulls() if first <= end <= until}
    clock = calendar.session_seconds
    losses = {calendar.tick_at_session_seconds(clock(s["tick"]) + SESSION_SECONDS + 1) for s in steps if s["blind"]}
    ticks = {step["tick"] for step in steps} | ends | {tick for tick in losses if tick <= until}
    found, rest = [], list(steps)
    for tick in sorted(ticks):
        while rest and rest[0]["tick"] <= tick:
            plain.take(rest.pop(0))
        said = plain.row(tick, ends_session=tick in ends)
        if said is not None:
            found.append((tick, said))
    return found
