"""The board that a desk head reads in five seconds: how bad, since when, why, where, and whether to trust it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate.boards import head, manner, panels, tables
from monitor.generate.boards.layout import Board, Row
from monitor.generate.boards.panels import About, Column
from monitor.generate.boards.queries import (
    SAYS,
    Query,
    alerts_at,
    board_of,
    either,
    legend_of,
    named,
    regime,
    said,
    segments_levels,
)
from monitor.generate.rules.market import STRESS_REGIME
from monitor.links import OVERVIEW
from monitor.results import REGIMES, SEGMENTS, Level
from monitor.sinks import metrics

if TYPE_CHECKING:
    from monitor.generate.boards.of_signals import Catalogue
    from monitor.generate.boards.panels import Placed
    from monitor.generate.facts import Facts

_INDEX: Final = f"max({metrics.INDEX.scraped})"


def board(facts: Facts, catalogue: Catalogue) -> Board:
    """How bad it is."""
    return Board(
        OVERVIEW,
        "Market stress: overview",
        "How bad it is, since when, why, where, whether it can be trusted, and what to do.",
        (
            Row(4, (_regime(facts), _index_now(), _change(), _trust())),
            Row(9, (_index(), _contributions())),
            Row(6, (_scores(), _levels())),
            Row(9, (_worst(facts, catalogue), _firing(facts, catalogue))),
        ),
        marks=[*head.marks(SEGMENTS), *head.regime_marks()],
    )


_OPEN: Final = ("Open the board", "/d/${__field.labels.board}?${__url_time_range}&${datasource:queryparam}")
"""Of the segment whose line it is."""


def _by_segment(metric: str) -> str:
    return board_of(f"max by (segment) ({metric})")


def _regime(facts: Facts) -> Placed:
    return panels.numbers(
        About(
            "regime", "Regime",
            "The state of the market as a whole, in one word: calm, elevated, stressed or crisis.",
            "Stressed: the desk looks at the contributions and at the worst signals below. Crisis: on-call acts now, "
            "by the runbook of StressRegime.",
            links=((f"Runbook: {STRESS_REGIME}", facts.links.runbook(STRESS_REGIME)),),
        ),
        [said(regime(), "unknown", "Regime")],
        manner.LEVEL, 4, mappings=manner.regime_words(),
    )  # fmt: skip


def _index_now() -> Placed:
    return panels.numbers(
        About(
            "index-now", "Stress index",
            "How bad it is, and how much of it at once, from 0 to 1: the segments' scores, weighted, and multiplied by "
            "how they move together. No segment alone can make a crisis.",
            "Look at the line below for since when, and at the contributions for why. No number: the monitor is away.",
        ),
        [said(_INDEX, "no value", "Stress index")], manner.INDEX, 4,
    )  # fmt: skip


def _change() -> Placed:
    queries = []
    for span, offset in (("1 h", "1h"), ("1 day", "1d")):
        change = f"{_INDEX} - max({metrics.INDEX.scraped} offset {offset})"
        signed = either(
            named(f"({change}) >= 0", SAYS, f"in {span}, up"), named(f"({change}) < 0", SAYS, f"in {span}, down")
        )
        queries.append(said(signed, f"in {span}", f"{{{{{SAYS}}}}}"))
    placed = panels.numbers(
        About(
            "change", "Change of the index",
            "How much the index has moved in an hour and in a day, as Prometheus saw it: hours of the wall's clock.",
            "A rise of 0.1 within an hour is a market that turns: open the segment that contributes most.",
        ),
        queries, manner.INDEX, 4,
    )  # fmt: skip
    return panels.overridden(placed, "/up$/", unit="prefix:+")


def _trust() -> Placed:
    age = f"max({metrics.CLOCK.scraped}) - max({metrics.LAST_EVENT.scraped})"
    placed = panels.numbers(
        About(
            "trust", "Coverage, alerts, age",
            "Coverage: the weight of the segments that are seen. Critical and warnings: how many alerts stand at that "
            "level, those on the monitor itself too; they stand while it is away. Age: how old the newest event "
            "is by the monitor's clock.",
            "With too little coverage no crisis is called: find what is blind on the on-call board. An age of minutes "
            "in a session means that input has stopped: open the board of the pipeline.",
        ),
        [
            said(f"max({metrics.COVERAGE.scraped})", "no value", "Coverage"),
            said(alerts_at(Level.CRITICAL), "no value", "◆ Critical"),
            said(alerts_at(Level.WARNING), "no value", "▲ Warnings"),
            said(age, "no value", "Newest event, age"),
        ],
        manner.COUNT, 12,
    )  # fmt: skip
    panels.overridden(placed, "Coverage", unit=manner.PERCENT.shown, decimals=0)
    panels.overridden(placed, "◆ Critical", thresholds=_from(1, manner.CRITICAL))
    panels.overridden(placed, "▲ Warnings", thresholds=_from(1, manner.WARNING))
    stale = _from(head.STALE_SECONDS, manner.BLIND)
    return panels.overridden(placed, "Newest event, age", unit=manner.SECONDS.shown, thresholds=stale)


def _from(value: float, colour: str) -> dict[str, object]:
    steps = [{"value": None, "color": manner.TEXT}, {"value": value, "color": colour}]
    return {"mode": "absolute", "steps": steps}


def _index() -> Placed:
    elevated, stressed, crisis = REGIMES[1:]
    bands = {elevated: manner.INFORMATION, stressed: manner.WARNING, crisis: manner.CRITICAL}
    placed = panels.lines(
        About(
            "index", "Stress index and regime",
            "The index, between what it would be were all that is absent calm, and were it at its worst. The ground is "
            "coloured while the regime is elevated, stressed or a crisis. Alerts are marks on the time axis.",
            "Since when: where the colour begins. A wide band between low and high means that much is not seen.",
        ),
        [
            said(_INDEX, "no value", "Stress index"),
            said(f"max({metrics.INDEX_LOW.scraped})", "no value", "If all absent were calm"),
            said(f"max({metrics.INDEX_HIGH.scraped})", "no value", "If all absent were at its worst"),
            *(Query(f'max({metrics.REGIME.scraped}{{regime="{each}"}})', f"Regime {each}") for each in bands),
            said(f"max({metrics.REGIME_CAPPED.scraped})", "no value", "Too little seen to call it a crisis"),
        ],
        manner.INDEX, 16, low=0, high=0.5,
    )  # fmt: skip
    panels.overridden(placed, "Stress index", custom_lineWidth=2, color=manner.fixed(manner.TEXT))
    high = {"custom_fillBelowTo": "If all absent were calm", "custom_fillOpacity": 15}
    panels.overridden(placed, "If all absent were at its worst", custom_lineWidth=0, **high)
    panels.overridden(placed, "If all absent were calm", custom_lineWidth=0)
    ground = {"custom_axisPlacement": "hidden", "min": 0, "max": 1, "custom_lineWidth": 0, "unit": "bool_yes_no"}
    for each, colour in bands.items():
        panels.overridden(
            placed, f"Regime {each}", color=manner.fixed(colour), custom_fillOpacity=18,
            custom_lineInterpolation="stepAfter", **ground,
        )  # fmt: skip
    return panels.overridden(placed, "Too little seen to call it a crisis", custom_fillOpacity=0, **ground)


def _contributions() -> Placed:
    placed = panels.lines(
        About(
            "contributions", "Why: parts of the index",
            "What each segment adds to the index; together they are the index.",
            "Open the board of the largest part.",
        ),
        [said(_by_segment(metrics.CONTRIBUTION.scraped), "no value", legend_of("segment"))],
        manner.INDEX, 8, stacked=True, colour=manner.INFORMATION, low=0,
    )  # fmt: skip
    return panels.linked(placed, *_OPEN)


def _scores() -> Placed:
    placed = panels.numbers(
        About(
            "scores", "Where: the segments' scores",
            "How bad each segment is, from 0 to 1: half its worst headline, half their mean. 0.5 is a warning's, 0.9 a "
            "critical level's. A segment that is not seen has no number, and a score has no colour: what level its "
            "signals have is said beside.",
            "Open the board of the worst segment.",
        ),
        [said(_by_segment(metrics.SEGMENT_SCORE.scraped), "no value", legend_of("segment"))],
        manner.INDEX, 13,
    )  # fmt: skip
    return panels.linked(placed, *_OPEN)


def _levels() -> Placed:
    placed = panels.states(
        About(
            "levels", "Where: the segments' levels, and blindness",
            "The highest level of each segment's signals over time. Blind is not calm: the input of a headline signal "
            "is lost, stale or repeated, and the level that was known last stands. Not seen: there never was any, or "
            "the monitor is away.",
            "A blind segment: open the on-call board, which says what is missing and since when.",
        ),
        [Query(board_of(segments_levels()), legend_of("segment"))],
        11, manner.level_words(),
    )  # fmt: skip
    return panels.linked(placed, *_OPEN)


def _worst(facts: Facts, catalogue: Catalogue) -> Placed:
    return panels.rows(
        About(
            "worst", "Worst signals",
            "The label sets with the highest scores. A score is 0.5 at warning and 0.9 at critical, so what is "
            "measured in different units can be compared. Since is event time, New York.",
            "Click on what it is for its board, on the runbook for what to do.",
        ),
        tables.worst_signals(catalogue.all()),
        [
            *tables.titles(),
            Column("Value", "Value #B", manner.Unit("none", 2), (tables.NO_NUMBER,), width=80),
            Column("Unit", "unit", width=60),
            Column("Score", "Value #A", manner.INDEX, (tables.NO_NUMBER,), "gauge", high=1),
            Column("Level", "Value #C", manner.LEVEL, tuple(manner.level_words()), "color-background", width=150),
            Column("Since (event time)", "Value #D", manner.MOMENT, (tables.NEVER, tables.NO_NUMBER), width=150),
            tables.runbook_column(facts),
            tables.BOARD,
        ],
        14, by="Score",
    )  # fmt: skip


def _firing(facts: Facts, catalogue: Catalogue) -> Placed:
    return panels.rows(
        About(
            "firing", "Firing alerts",
            "What is not calm, critical first, and what is wrong with the monitor itself. It stands while the monitor "
            "is away.",
            "Click on the runbook: it says what to look at first, and when to escalate.",
        ),
        tables.firing(catalogue.all())[:2],
        [
            Column("Level", "Value #A", manner.LEVEL, tuple(manner.level_words()), "color-background", width=120),
            *tables.titles(),
            Column("Since (event time)", "Value #B", manner.MOMENT, (tables.NO_NUMBER,), width=150),
            tables.runbook_column(facts),
            tables.BOARD,
        ],
        10, by="Level",
    )  # fmt: skip
