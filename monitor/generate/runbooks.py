"""The runbooks, a page an alert."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from monitor.generate.listing import signal_as_data
from monitor.generate.rules.market import MARKET, STRESS_REGIME, market_rules
from monitor.generate.rules.own import MONITOR, own_rules
from monitor.markdown import page
from monitor.runbooks import DOCS, Library

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.generate.facts import Facts
    from monitor.runbooks import Page

FOLDER: Final = "docs/runbooks"


def library(facts: Facts) -> Library:
    """The runbooks of a catalogue: for the docs that of the defaults, for the monitor's pages that in force."""
    regime = [rule for rule in market_rules(facts) if rule["alert"] == STRESS_REGIME]
    others = [*_as_data(MARKET, regime), *_as_data(MONITOR, own_rules(facts))]
    return Library(map(signal_as_data, facts.signals), others, facts.links)


def _as_data(segment: str, rules: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Alerts that are of no signal, out of their rules; those of one alert stand together."""
    for alert, group in groupby(rules, key=lambda rule: str(rule["alert"])):
        those = list(group)
        yield {
            "alert": alert,
            "segment": segment,
            "notify": those[0]["labels"]["notify"],
            "tells": those[0]["annotations"]["description"],
            "rules": [
                {"severity": rule["labels"]["severity"], "wait": rule["for"], "expr": rule["expr"]} for rule in those
            ],
        }


def files(facts: Facts) -> dict[str, str]:
    """Path from the project's root, and text."""
    of = library(facts)
    return {
        f"{FOLDER}/README.md": _file(of.index(DOCS)),
        **{f"{FOLDER}/{alert}.md": _file(of.page(alert, DOCS)) for alert in of.alerts},
    }


def _file(made: Page) -> str:
    return page(made.title, *made.parts)
