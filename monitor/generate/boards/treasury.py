"""The board of Treasury liquidity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate.boards import head, manner, of_signals, panels
from monitor.generate.boards.layout import Board, Row
from monitor.generate.boards.panels import About
from monitor.generate.boards.queries import Chosen, Query, legend_of, named, or_says, over_range, said, worst
from monitor.generate.rules.recording import newest
from monitor.links import BOARD_OF_SEGMENT, VARIABLES
from monitor.sinks import metrics

if TYPE_CHECKING:
    from monitor.generate.boards.of_signals import Catalogue
    from monitor.generate.boards.panels import Placed

SEGMENT: Final = "treasury"
_BY: Final = VARIABLES[BOARD_OF_SEGMENT[SEGMENT]]
_CHOSEN: Final = Chosen(_BY)
_DEPTH_AND_EXCESS: Final = ("treasury_depth_drop_ratio", "treasury_off_the_run_excess_32nds")
_ZSCORE_FULL: Final = 8.0
"""Where the heat map is of its full colour: the z of a critical level."""


def board(catalogue: Catalogue) -> Board:
    """Whether Treasuries can be traded, and where not."""

    def panel(name: str, width: int, title: str = "", tells: str = "") -> Placed:
        return of_signals.panel(catalogue[name], width, _CHOSEN, title=title, tells=tells)

    rows = (
        Row(8, (panel("treasury_two_sided_ratio", 6), _spread(catalogue), _off_the_run(catalogue))),
        Row(7, (_zscores(catalogue), *(panel(name, 6) for name in _DEPTH_AND_EXCESS))),
        Row(7, (panel("treasury_dispersion_32nds", 8), _scatter(catalogue), panel("treasury_price_impact_32nds", 8))),
        Row(6, (panel("treasury_curve_noise_bp", 8), _slope(catalogue))),
    )
    shown = [placed for row in rows for placed in row.panels]
    # Drawn in a scatter at one moment, and over time below.
    shown = [placed for placed in shown if placed.about.key != "scatter"]
    uid = BOARD_OF_SEGMENT[SEGMENT]
    return Board(
        uid,
        "Treasury liquidity",
        "Who still quotes, how wide, how deep, and what a trade moves. Dealers leave before they widen, and the "
        "off-the-runs break first: read from left to right.",
        rows,
        of_signals.more(catalogue.of(SEGMENT), shown, {SEGMENT: _BY}),
        [
            head.variable(uid, "instrument", "Issue", catalogue["treasury_spread_32nds"]),
            # No series has both an issue and a tenor, so neither limits the other.
            head.variable(uid, "tenor", "Tenor of the excess", catalogue["treasury_off_the_run_excess_32nds"]),
        ],
        head.marks([SEGMENT]),
    )


def _spread(catalogue: Catalogue) -> Placed:
    spread = catalogue["treasury_spread_32nds"]
    (variable,) = (_BY[label] for label in spread.labels)
    score = f'{metrics.SIGNAL_SCORE.scraped}{{signal="{spread.name}", instrument=~"${variable}"}}'
    judged = f"{newest(_CHOSEN.of(spread))} and on (instrument) topk(10, {over_range(score)})"
    return panels.lines(
        About(
            "spread-on-the-run", "Bid-ask spread, issues with thresholds",
            "The issues on the run, and those of 20 and 30 years off it, the ten that are worst by their own "
            "thresholds. These are drawn dashed, a pair for each kind of issue: an issue is judged by its own pair.",
            "One tenor alone: look at its auction and its repo. All of them: dealers have no room, open the runbook.",
            (spread,),
        ),
        [
            said(judged, of_signals.NO_VALUE, legend_of("instrument")),
            *of_signals.thresholds(spread),
        ],
        manner.THIRTY_SECONDS, 10,
    )  # fmt: skip


def _off_the_run(catalogue: Catalogue) -> Placed:
    spread = catalogue["treasury_spread_32nds"]
    level = f'{metrics.SIGNAL_LEVEL.scraped}{{signal="{spread.name}"}}'
    rest = f"{newest(_CHOSEN.of(spread))} unless on (instrument) {level}"
    quantiles = {"the widest": 1, "a tenth is wider": 0.9, "the middle one": 0.5}
    return panels.lines(
        About(
            "spread-off-the-run", "Bid-ask spread, other issues",
            "All issues without thresholds of their own together: the middle one, the tenth that is widest, and the "
            "widest. They are judged by their z-scores.",
            "When these widen and those on the run do not, it is March 2020's order of events: look at the excess.",
            (spread,),
        ),
        [
            said(named(f"quantile({q}, {rest})", "of", name), of_signals.NO_VALUE, legend_of("of"))
            for name, q in quantiles.items()
        ],
        manner.THIRTY_SECONDS, 8,
    )  # fmt: skip


def _zscores(catalogue: Catalogue) -> Placed:
    zscore = catalogue["treasury_spread_zscore"]
    about = of_signals.about(
        zscore, title="Spread against its history, by issue",
        tells=f"The issues with the highest z-scores, a row each: the stronger the colour the wider against the same "
        f"half-hour of calm sessions; full from {_ZSCORE_FULL:g} on, not seen at 0.",
    )  # fmt: skip
    expr = worst(_CHOSEN.of(zscore), 20)
    query = said(expr, of_signals.NO_VALUE, legend_of("instrument"))
    return panels.heat(about, [query], manner.unit_of(zscore.unit), 12, full=_ZSCORE_FULL)


def _scatter(catalogue: Catalogue) -> Placed:
    volatility, spread = catalogue["treasury_volatility_bp"], catalogue["treasury_spread_32nds"]
    queries = {
        signal.title: Query(
            or_says(f"max by (instrument) ({_CHOSEN.of(signal)})", of_signals.NO_VALUE, "instrument"),
            instant=True, table=True,
        )
        for signal in (volatility, spread)
    }  # fmt: skip
    units = {volatility.title: manner.TENTH_BP, spread.title: manner.THIRTY_SECONDS}
    about = About(
        "scatter", "Spread against volatility",
        "A point an issue, now: along, how much its yield moves; up, how wide it is quoted. Wide and moving is a "
        "market that works hard; wide and still is one that is gone.",
        "Issues that are wide without moving: look at their depth, and at who still quotes.",
        (volatility, spread),
    )  # fmt: skip
    return panels.scatter(about, queries, units, 8, joined_by="instrument")


def _slope(catalogue: Catalogue) -> Placed:
    slope, band = catalogue["treasury_slope_bp"], catalogue["treasury_yield_band_ratio"]
    about = About(
        "slope", "Slope, and the 10-year yield in its band",
        "What long issues yield more than shorter ones; and on the right where the 10-year yield stands in its band: "
        "at 0 % at the lower end, at 100 % at the upper.",
        "A slope that steepens while supply is heavy is the price of long debt: look at new issues.",
        (slope, band),
    )  # fmt: skip
    queries = [
        of_signals.values(slope),
        said(f"max by (tenor) ({band.metric})", of_signals.NO_VALUE, f"{band.title} {legend_of('tenor')}"),
    ]
    placed = panels.lines(about, queries, manner.TENTH_BP, 16)
    right = {"unit": manner.PERCENT.shown, "decimals": 0, "custom_axisPlacement": "right"}
    return panels.overridden(placed, f"/^{band.title}/", color=manner.fixed(manner.INFORMATION), **right)
