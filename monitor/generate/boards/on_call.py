"""The board of whoever is on call: what fires, what is blind, what was silenced, what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate.boards import head, manner, panels, tables
from monitor.generate.boards.layout import Board, Row
from monitor.generate.boards.panels import About, Column
from monitor.generate.boards.queries import (
    MOST_LINES,
    MOST_ROWS,
    OTHER_ALERTS,
    ROW,
    WATCHDOG,
    board_of,
    either,
    info,
    known_row,
    legend_of,
    named,
    rows,
    said,
    where,
)
from monitor.generate.rules.market import STRESS_REGIME
from monitor.generate.rules.recording import SEGMENT_BLIND, newest
from monitor.links import ON_CALL
from monitor.results import SEGMENTS, Level
from monitor.sinks import metrics

if TYPE_CHECKING:
    from monitor.generate.boards.of_signals import Catalogue
    from monitor.generate.boards.panels import Placed
    from monitor.generate.facts import Facts

_HOURS: Final = 24
ALERTMANAGER_SILENCES: Final = "alertmanager_silences"
ALERTMANAGER_ALERTS: Final = "alertmanager_alerts"
"""Alertmanager's own, where Prometheus scrapes it."""
_WATCHDOG_LATE: Final = 60


def board(facts: Facts, catalogue: Catalogue) -> Board:
    """What to do tonight."""
    return Board(
        ON_CALL,
        "On-call",
        "What fires and since when, what is blind, what somebody has silenced, and what happened in the last 24 hours.",
        (
            Row(9, (_fires(facts, catalogue), _silenced())),
            Row(8, (_blind(facts, catalogue), _own())),
            Row(10, (_transitions(),)),
        ),
        marks=[*head.marks(SEGMENTS), *head.regime_marks()],
        since=f"now-{_HOURS}h",
    )


def _fires(facts: Facts, catalogue: Catalogue) -> Placed:
    return panels.rows(
        About(
            "fires", "What fires",
            "Every label set that is not calm, critical first: its value now, the threshold at which its level was "
            "entered, and since when, event time in New York. It stands while the monitor is away.",
            "From the top: open the runbook, then the board. What has no value any more is blind, see below.",
        ),
        tables.firing(catalogue.all()),
        [
            Column("Level", "Value #A", manner.LEVEL, tuple(manner.level_words()), "color-background", width=120),
            *tables.titles(),
            Column("Value", "Value #C", manner.Unit("none", 2), (tables.NO_NUMBER,), width=90),
            Column("Threshold", "Value #D", manner.Unit("none", 2), (tables.NO_NUMBER,), width=90),
            Column("Unit", "unit", width=60),
            Column("Since (event time)", "Value #B", manner.MOMENT, (tables.NO_NUMBER,), width=160),
            tables.runbook_column(facts),
            tables.BOARD,
        ],
        19, by="Level",
    )  # fmt: skip


def _silenced() -> Placed:
    missing = "Alertmanager is not scraped"
    return panels.numbers(
        About(
            "silenced", "Silenced",
            "How many silences are active in Alertmanager, and how many alerts nobody hears because of them or because "
            "a worse one of the same signal fires.",
            "A silence that you do not know: look in Alertmanager who made it, and when it ends.",
        ),
        [
            said(f'max({ALERTMANAGER_SILENCES}{{state="active"}})', missing, "Active silences"),
            said(f'max({ALERTMANAGER_ALERTS}{{state="suppressed"}})', missing, "Alerts not heard"),
        ],
        manner.COUNT, 5, mappings=[manner.unknown(missing)], steps=((None, manner.TEXT), (1, manner.INFORMATION)),
    )  # fmt: skip


def _blind(facts: Facts, catalogue: Catalogue) -> Placed:
    labels = tables.own_labels(catalogue.all())
    since = newest(metrics.SIGNAL_BLIND_SINCE.scraped)
    first = f"bottomk({MOST_ROWS}, {since})"
    level = f"{manner.BLIND_STEP} + ({newest(metrics.SIGNAL_LEVEL.scraped)} and {first})"
    state = f"({level})\nor\n({manner.BLIND_STEP} + 0 * {first})"
    # What was blind when the monitor was last heard of, as far as it is recorded.
    stands = f"{SEGMENT_BLIND.name} unless on (segment) max by (segment) ({metrics.SEGMENT_BLIND.scraped}) == 1"
    segments = board_of(where(named(stands, "title", "Blind when last heard of"), ["segment"]))
    stood = f"max by ({', '.join(ROW)}) ({segments})"
    return panels.rows(
        About(
            "blind", "What is blind, and since when",
            "Signals whose input is lost, stale or repeated: their levels stay as they were until fresh data comes. "
            "The longest first. While the monitor is away: the segments that were blind when it was last heard of.",
            "Blind is not calm. Many of one segment: its source is gone, see the board of the pipeline.",
        ),
        tables.as_rows(
            known_row(either(rows(state, labels), f"{manner.BLIND_STEP} * {stood}"), "nothing is blind", Level.CALM),
            known_row(either(rows(manner.MOMENT.of(first), labels), f"NaN * {stood}"), "nothing is blind"),
        ),
        [
            *tables.titles(),
            Column("State", "Value #A", manner.LEVEL, tuple(manner.level_words()), "color-background"),
            Column("Blind since (event time)", "Value #B", manner.MOMENT, (tables.NO_NUMBER,), width=180),
            tables.runbook_column(facts),
            tables.BOARD,
        ],
        14, by="Blind since (event time)", descending=False,
    )  # fmt: skip


def _own() -> Placed:
    age = f"time() - max(timestamp({WATCHDOG}))"
    ready = f"max({metrics.READY.scraped})"
    placed = panels.numbers(
        About(
            "alerting", "Does alerting work?",
            "Age of the Watchdog, the alert that always fires: rules are evaluated while it is young. Whether the "
            "monitor is ready: all sources connected and caught up. How many alerts on the monitor itself fire.",
            "A Watchdog that is old or missing: Prometheus does not evaluate its rules, and no alert can come. Not "
            "ready: levels are those of an earlier time.",
        ),
        [
            said(age, "not heard of for 5 minutes", "Watchdog, age"),
            said(ready, "the monitor does not answer", "Monitor"),
            said(
                f'count(ALERTS{{{OTHER_ALERTS}, alertname!="{STRESS_REGIME}"}}) or 0 * count({WATCHDOG})',
                "no rules are evaluated", "Alerts on the monitor",
            ),
        ],
        manner.COUNT, 10,
    )  # fmt: skip
    late = {
        "mode": "absolute",
        "steps": [{"value": None, "color": manner.TEXT}, {"value": _WATCHDOG_LATE, "color": manner.CRITICAL}],
    }
    silent = [manner.unknown("✕ silent")]
    panels.overridden(placed, "Watchdog, age", unit=manner.SECONDS.shown, thresholds=late, mappings=silent)
    words = manner.words({0: ("▲ not ready", manner.WARNING), 1: ("ready", manner.TEXT)})
    panels.overridden(placed, "Monitor", mappings=[words, manner.unknown("✕ does not answer")])
    some = {"mode": "absolute", "steps": [{"value": None, "color": manner.TEXT}, {"value": 1, "color": manner.WARNING}]}
    return panels.overridden(placed, "Alerts on the monitor", thresholds=some)


def _transitions() -> Placed:
    level = f"max by (alert) ({metrics.ALERT_LEVEL.scraped})"
    was_bad = (
        f"topk({MOST_LINES}, max by (alert) (max_over_time({metrics.ALERT_LEVEL.scraped}[{_HOURS}h] @ end())) > 0)"
    )
    titles = info('alert!=""', "alert", ("title",))
    expr = f"({level} and on (alert) {was_bad}) * on (alert) group_left (title) {titles}"
    return panels.states(
        About(
            "transitions", f"The last {_HOURS} hours",
            "The levels of the alerts that were not calm at some time of them, the worst. A gap: the monitor did not "
            "answer.",
            "What began first is often the cause of what came after it.",
        ),
        [said(expr, f"nothing in {_HOURS} hours", legend_of("title"))],
        24, manner.level_words(), hours=_HOURS,
    )  # fmt: skip
