"""The board of repo funding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate.boards import head, manner, of_signals, panels
from monitor.generate.boards.layout import Board, Row
from monitor.generate.boards.panels import About
from monitor.generate.boards.queries import Chosen, legend_of, named, said
from monitor.links import BOARD_OF_SEGMENT, VARIABLES
from monitor.sinks import metrics

if TYPE_CHECKING:
    from monitor.generate.boards.of_signals import Catalogue
    from monitor.generate.boards.panels import Placed

SEGMENT: Final = "repo"
BENCHMARK: Final = "SOFR"
"""Of the benchmarks the one that thresholds are for."""
_BY: Final = VARIABLES[BOARD_OF_SEGMENT[SEGMENT]]
_CHOSEN: Final = Chosen(_BY)
_ON_RRP, _IORB = "ON_RRP", "IORB"
_FLAG_COLOUR: Final = manner.INFORMATION


def board(catalogue: Catalogue) -> Board:
    """What cash costs overnight."""

    def panel(name: str, width: int) -> Placed:
        return of_signals.panel(catalogue[name], width, _CHOSEN, unit=manner.BP, prints=True)

    rows = (
        Row(9, (_band(catalogue), panel("repo_tail_bp", 8))),
        Row(7, tuple(panel(f"repo_{name}_bp", 6) for name in ("corridor", "dispersion", "jump", "wedge"))),
        Row(7, (_specialness(catalogue), _volume(catalogue), _flags())),
    )
    shown = [placed for row in rows for placed in row.panels]
    uid = BOARD_OF_SEGMENT[SEGMENT]
    return Board(
        uid,
        "Repo funding",
        "What cash costs overnight against what the Federal Reserve pays for it, and how much dearer it is for the "
        "last borrower: the tail leads the median.",
        rows,
        of_signals.more(catalogue.of(SEGMENT), shown, {SEGMENT: _BY}),
        [
            head.variable(uid, "window", "Window", catalogue["repo_spread_bp"]),
            head.variable(uid, "instrument", "Rate", catalogue["repo_spread_bp"], ["window"]),
            head.benchmark_variable(catalogue["repo_spread_bp"], BENCHMARK),
        ],
        [*head.marks([SEGMENT]), *head.flag_regions()],
        since="now-24h",
    )


def _band(catalogue: Catalogue) -> Placed:
    names = ("repo_spread_bp", "repo_tail_bp", "repo_low_tail_bp", "repo_corridor_bp")
    spread, tail, low_tail, corridor = (catalogue[name] for name in names)

    def of(name: str) -> str:
        return f'max({catalogue[name].metric}{{instrument=~"$benchmark", window=""}})'

    median = of(spread.name)
    reference = catalogue["reference"].metric
    on_rrp = f'100 * (max({reference}{{series="{_ON_RRP}"}}) - max({reference}{{series="{_IORB}"}}))'
    drawn = {
        "p99": f"{median} + {of(tail.name)}",
        "Median": median,
        "p1": f"{median} - {of(low_tail.name)}",
        "Top of the target range": f"{median} - {of(corridor.name)}",
        "IORB": f"0 * {median}",
        "ON RRP": on_rrp,
    }
    queries = [
        said(named(expr, "rate", name), f"{name}: not heard of", legend_of("rate")) for name, expr in drawn.items()
    ]
    about = About(
        "band", "Rate against IORB, and the corridor",
        "A published benchmark in bp over IORB, which is 0: from its 1st to its 99th percentile, its median, and the "
        "Federal Reserve's rates. Dashed in colours is where the median's spread is a warning, and critical. Of the "
        "benchmark chosen above.",
        "The median above IORB: cash is short. The band grows upwards first: look at the tail, and at who borrows.",
        (spread, tail, low_tail, corridor),
    )  # fmt: skip
    placed = panels.lines(
        about, [*queries, *of_signals.thresholds(spread, ["benchmark"], manner.BP)], manner.BP, 16, prints=True
    )
    panels.overridden(placed, "p99", custom_fillBelowTo="p1", custom_fillOpacity=20, custom_lineWidth=0)
    panels.overridden(placed, "p1", custom_lineWidth=0)
    panels.overridden(placed, "Median", custom_lineWidth=2, color=manner.fixed(manner.TEXT))
    fed = {"color": manner.fixed(manner.INFORMATION), "custom_lineStyle": {"fill": "dot", "dash": [2, 4]}}
    return panels.overridden(placed, "/^(IORB|ON RRP|Top of the target range)$/", **fed)


def _specialness(catalogue: Catalogue) -> Placed:
    special = catalogue["repo_specialness_bp"]
    return of_signals.ranked(
        special, of_signals.about(special), 7, "collateral", unit=manner.BP, none="no special collateral"
    )


def _volume(catalogue: Catalogue) -> Placed:
    return of_signals.panel(catalogue["repo_volume_busd"], 9, _CHOSEN, prints=True)


def _flags() -> Placed:
    flags = f"max by (flag) ({metrics.CALENDAR_FLAG.scraped})"
    for flag, word in head.FLAG_WORDS.items():
        flags = f'label_replace({flags}, "what", "{flag}: {word}", "flag", "{flag}")'
    return panels.states(
        About(
            "flags", "Calendar flags of the value date",
            "Y, Q, M: the first or last business day of a year, quarter or month; C: the 15th or the business day "
            "after it; E: within an announcement of the settings. On such days other thresholds hold.",
            "The thresholds of the day already allow for its flags: what alarms in spite of them is not the calendar.",
        ),
        [said(flags, "no calendar yet", legend_of("what"))],
        8, [manner.words({0: ("no", manner.CALM_AREA), 1: ("yes", _FLAG_COLOUR)}), manner.unknown("not known")],
    )  # fmt: skip
