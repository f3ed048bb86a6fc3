"""All runbooks of one run: a page an alert, and a list of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from monitor.links import BOARD_OF_SEGMENT, ON_CALL, OVERVIEW
from monitor.runbooks.facts import facts_of_own, facts_of_signal, generic_own, generic_signal
from monitor.runbooks.handwritten import HISTORY, LOOK, text_of
from monitor.runbooks.history import history_of, history_of_index
from monitor.runbooks.references import BOARD_NAMES, resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitor.links import Links
    from monitor.runbooks.handwritten import Text
    from monitor.runbooks.places import Place

STRESS_REGIME: Final = "StressRegime"
MARKET, MONITOR = "market", "monitor"
"""Stand where a segment would: of what is about all of them, and about the monitor itself."""
SEGMENT_NAMES: Final = {
    MARKET: "All markets",
    "treasury": "Treasury liquidity",
    "repo": "Repo funding",
    "newissue": "New issues",
    "cds": "CDS",
    "credit": "Credit",
    MONITOR: "The monitor itself",
}
"""In the order of the list."""
_INTRODUCTION: Final = (
    "What to do about each alert: what it means, where to look first, how it was, what makes it cry wolf, and when to "
    "call someone. The alert's link leads here."
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        title: its heading.
        parts: Markdown, to be put together with an empty line between them.
    """

    title: str
    parts: tuple[str, ...]

    @property
    def markdown(self) -> str:
        """The page as one text."""
        return "\n\n".join((f"# {self.title}", *self.parts)) + "\n"


class Library:
    """The runbooks of a catalogue.

    Args:
        signals: as `stress-monitor signals --json` has them, with the thresholds that are in force; those without
            thresholds raise no alert, and have no page.
        own: the alerts that are of no signal: `alert`, `segment`, `notify`, `tells`, and `rules`, each with `severity`,
            `wait` and `expr`.
        links: where the boards are.
    """

    def __init__(self, signals: Iterable[Mapping[str, Any]], own: Iterable[Mapping[str, Any]], links: Links) -> None:
        self._signals = {each["alert"]: each for each in signals if each["thresholds"]}
        self._own = {each["alert"]: each for each in own}
        self._links = links

    @property
    def alerts(self) -> tuple[str, ...]:
        """Every alert that has a page: by segment, then as given."""
        return tuple(alert for _, alerts in self.by_segment() for alert in alerts)

    def by_segment(self) -> list[tuple[str, list[str]]]:
        """The segment's name for people, and its alerts."""
        found: dict[str, list[str]] = {}
        for alert, facts in (self._signals | self._own).items():
            found.setdefault(facts["segment"], []).append(alert)
        order = [*SEGMENT_NAMES, *sorted(set(found) - set(SEGMENT_NAMES))]
        return [(SEGMENT_NAMES.get(each, each), found[each]) for each in order if each in found]

    @property
    def boards(self) -> dict[str, str]:
        """The boards that one comes from, and goes back to: name and address."""
        return {f"{BOARD_NAMES[uid]} board": self._links.board(uid) for uid in (ON_CALL, OVERVIEW)}

    def says(self, alert: str) -> str:
        """One line: what an alert says."""
        return self._text(alert).says

    def title(self, alert: str) -> str:
        """An alert's id, and what it is called."""
        signal = self._signals.get(alert)
        return f"{alert}: {signal['title']}" if signal else alert

    def page(self, alert: str, place: Place) -> Page:
        """The runbook of an alert; KeyError if it has none."""
        text = self._text(alert)
        sections = {heading: self._linked(body, place) for heading, body in text.sections.items()}
        history = self._history(alert, place)
        parts = [f"*{text.says}*"]
        for heading, body in sections.items():
            if heading != HISTORY:
                parts.append(f"## {heading}\n\n{body}")
            if heading == LOOK and (history or HISTORY in sections):
                both = [sections[HISTORY]] if HISTORY in sections else []
                parts.append("\n\n".join([f"## {HISTORY}", *both, *([history] if history else [])]))
        if alert in self._signals:
            parts += facts_of_signal(self._signals[alert], place)
        else:
            parts += facts_of_own(self._own[alert])
        return Page(self.title(alert), tuple(parts))

    def index(self, place: Place) -> Page:
        """The list of all runbooks."""
        parts = [_INTRODUCTION]
        for segment, alerts in self.by_segment():
            lines = "\n".join(f"- {place.link_to_runbook(alert)}: {self.says(alert)}" for alert in alerts)
            parts.append(f"## {segment}\n\n{lines}")
        return Page("Runbooks", tuple(parts))

    def _history(self, alert: str, place: Place) -> str | None:
        if alert in self._signals:
            return history_of(self._signals[alert], place)
        return history_of_index(place) if alert == STRESS_REGIME else None

    def _text(self, alert: str) -> Text:
        if alert in self._signals:
            signal = self._signals[alert]
            return text_of(signal["name"]) or self._generic(signal)
        return text_of(alert) or generic_own(self._own[alert])

    def _generic(self, signal: Mapping[str, Any]) -> Text:
        others = [
            alert
            for alert, each in self._signals.items()
            if each["segment"] == signal["segment"] and each["headline"] and alert != signal["alert"]
        ]
        return generic_signal(signal, others, BOARD_OF_SEGMENT.get(signal["segment"]))

    def _linked(self, part: str, place: Place) -> str:
        return resolved(part, self.alerts, place, self._links)
