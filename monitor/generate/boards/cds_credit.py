"""The board of CDS and of credit spreads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate.boards import head, manner, of_signals, panels
from monitor.generate.boards.layout import Board, Row
from monitor.generate.boards.queries import MOST_LINES, Chosen, Query, legend_of, said
from monitor.links import BOARD_OF_SEGMENT

if TYPE_CHECKING:
    from monitor.generate.boards.of_signals import Catalogue
    from monitor.generate.boards.panels import Placed

SEGMENTS: Final = ("cds", "credit")
_BY: Final = ("tenor", "entity", "theme")
_NAMES: Final = Chosen(("tenor", "entity"))
_MONTH: Final = "20bd"


def board(catalogue: Catalogue) -> Board:
    """Who is afraid of whom."""

    def panel(name: str, width: int, chosen: Chosen = _NAMES, **how: object) -> Placed:
        return of_signals.panel(catalogue[name], width, chosen, **how)  # type: ignore[arg-type]

    rows = (
        Row(8, (panel("cds_spread_bp", 8), panel("cds_widening_bp", 8), panel("cds_bid_ask_ratio", 8))),
        Row(7, (
            panel("cds_basket_change_bp", 6, Chosen(("theme",), {"window": _MONTH}), title="Baskets in 20 days"),
            panel("cds_basket_excess_bp", 6, Chosen(("theme",)), title="Baskets against the index"),
            panel("cds_slope_bp", 6, Chosen(("entity",))),
            panel("cds_volume_surge_ratio", 6, unit=manner.TIMES),
        )),
        Row(7, (_highest(catalogue), _default(catalogue), panel("credit_off_low_bp", 8, prints=True))),
    )  # fmt: skip
    shown = [placed for row in rows for placed in row.panels]
    return Board(
        BOARD_OF_SEGMENT[SEGMENTS[0]],
        "CDS and credit",
        "What it costs to insure against a default, of which names it has jumped, and how far the market as a whole is "
        "off its lows.",
        rows,
        of_signals.more(catalogue.of(*SEGMENTS), shown, _BY),
        [
            head.variable("tenor", "Tenor", catalogue["cds_spread_bp"]),
            head.variable("entity", "Name", catalogue["cds_spread_bp"], ["tenor"]),
            head.variable("theme", "Basket", catalogue["cds_basket_bp"]),
        ],
        head.marks(SEGMENTS),
        since="now-24h",
    )


def _highest(catalogue: Catalogue) -> Placed:
    days = catalogue["cds_days_since_higher"]
    (row,) = days.thresholds
    about = of_signals.about(
        days, title="Highest since",
        tells="For how many days no spread of the name was as high as now's, the longest first. No longer than its "
        "history: how far that goes back is among the further signals. It is judged where the spread has widened.",
    )  # fmt: skip
    return panels.ranked(about, [_ranked(catalogue, days.name, "entity")], manner.DAYS, 8, steps=of_signals.ladder(row))


def _default(catalogue: Catalogue) -> Placed:
    probability = catalogue["cds_default_probability_ratio"]
    query = _ranked(catalogue, probability.name, "entity", "tenor")
    return panels.ranked(of_signals.about(probability), [query], manner.TENTH_PERCENT, 8)


def _ranked(catalogue: Catalogue, name: str, *by: str) -> Query:
    expr = f"sort_desc(topk({MOST_LINES}, max by ({', '.join(by)}) ({_NAMES.of(catalogue[name])})))"
    return said(expr, of_signals.NO_VALUE, legend_of(*by), instant=True)
