"""The board of new issues and of the supply of AI debt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate.boards import head, manner, of_signals, panels, tables
from monitor.generate.boards.layout import Board, Row
from monitor.generate.boards.panels import About, Column
from monitor.generate.boards.queries import MOST_ROWS, Chosen, Query, legend_of, or_says, said
from monitor.links import BOARD_OF_SEGMENT, VARIABLES

if TYPE_CHECKING:
    from monitor.generate.boards.of_signals import Catalogue
    from monitor.generate.boards.panels import Placed

SEGMENT: Final = "newissue"
_BY: Final = VARIABLES[BOARD_OF_SEGMENT[SEGMENT]]
_WEEK: Final = "5bd"
_AI_AND_REST: Final = "~ai|rest"
_YEAR: Final = "ytd"


def board(catalogue: Catalogue) -> Board:
    """Whether the market can take what is issued."""
    of_week = Chosen(only={"window": _WEEK, "theme": "", "sector": ""})
    concession = of_signals.panel(
        catalogue["newissue_concession_bp"], 8, Chosen(only={"window": _WEEK, "theme": _AI_AND_REST, "sector": ""}),
        tells="What new deals pay above their issuers' own curves, over 5 business days: of the theme ai, and of the "
        "rest. When the rest pays more, too, AI debt crowds it out.", prints=True,
    )  # fmt: skip
    gap = of_signals.panel(
        catalogue["newissue_concession_gap_bp"], 5, Chosen(only={"window": _WEEK}), prints=True, both_signs=True
    )
    share = of_signals.panel(
        catalogue["newissue_share_ratio"], 6, Chosen(only={"theme": "ai"}), title="AI's share of supply", prints=True
    )
    cover = of_signals.panel(catalogue["newissue_book_cover_ratio"], 6, of_week, unit=manner.TIMES, prints=True)
    break_ = of_signals.panel(catalogue["newissue_break_bp"], 6, of_week, prints=True)
    pulled = of_signals.panel(catalogue["newissue_pulled_count"], 6, prints=True)
    rows = (
        Row(7, (concession, gap, _supply(catalogue))),
        Row(6, (share, cover, break_, pulled)),
        Row(6, (_wall(catalogue), _pipeline(catalogue), _issuers(catalogue))),
        Row(8, (_deals(catalogue),)),
    )
    shown = [placed for row in rows for placed in row.panels]
    uid = BOARD_OF_SEGMENT[SEGMENT]
    return Board(
        uid,
        "New issues and AI supply",
        "What borrowers pay for being let in, how much they bring, who they are, and whether deals are still done.",
        rows,
        of_signals.more(catalogue.of(SEGMENT), shown, {SEGMENT: _BY}),
        [
            head.variable(uid, "theme", "Theme", catalogue["newissue_deal_size_busd"]),
            head.variable(uid, "issuer", "Issuer", catalogue["newissue_deal_size_busd"], ["theme"]),
        ],
        head.marks([SEGMENT]),
        since="now-24h",
    )


def _supply(catalogue: Catalogue) -> Placed:
    supply, pace = catalogue["newissue_supply_busd"], catalogue["newissue_pace_ratio"]
    selector = Chosen(only={"window": _YEAR, "theme": _AI_AND_REST, "purpose": ""}).of(supply)
    expr = manner.BILLION_USD.of(f"max by (theme) ({selector})")
    about = About(
        "supply", "Supply this year, and the pace to the record year",
        "What was priced this year so far, of the theme ai and of the rest, one on the other. On the right axis the "
        "pace: 100 % is the record year's at the same business day.",
        "Above 100 % the market has never had to take so much: read it beside the concession and the covers of books.",
        (supply, pace),
    )  # fmt: skip
    placed = panels.lines(
        about,
        [
            said(expr, of_signals.NO_VALUE, legend_of("theme")),
            said(f"max({pace.metric})", of_signals.NO_VALUE, pace.title),
            *(Query(query.expr, f"{query.legend} of the pace") for query in of_signals.thresholds(pace)),
        ],
        manner.BILLION_USD, 11, stacked=True, prints=True, low=0,
    )  # fmt: skip
    right = {"unit": manner.PERCENT.shown, "decimals": 0, "custom_axisPlacement": "right", "min": 0}
    panels.overridden(placed, "/of the pace$/", **right)
    line = {"custom_lineWidth": 2, "custom_fillOpacity": 0, "custom_stacking": {"mode": "none", "group": "B"}}
    panels.overridden(placed, pace.title, color=manner.fixed(manner.TEXT), **right, **line)
    return panels.overridden(placed, "ai", color=manner.fixed(manner.INFORMATION))


def _wall(catalogue: Catalogue) -> Placed:
    amount, ratio = catalogue["newissue_maturing_busd"], catalogue["newissue_maturing_ratio"]
    about = About(
        "wall", "Maturity wall",
        "Bonds that mature in the next 12 months and have to be refinanced; against what was issued in the last.",
        "A wall that is higher than a year's supply leaves no room for new debt.",
        (amount, ratio),
    )  # fmt: skip
    placed = panels.numbers(
        about,
        [
            said(manner.BILLION_USD.of(f"max({amount.metric})"), "not published yet", "Matures in 12 months"),
            said(f"max({ratio.metric})", "not known yet", "Against 12 months' supply"),
        ],
        manner.BILLION_USD, 7,
    )  # fmt: skip
    return panels.overridden(placed, "Against 12 months' supply", unit=manner.PERCENT.shown, decimals=0)


def _pipeline(catalogue: Catalogue) -> Placed:
    pipeline = catalogue["newissue_pipeline_dv01_musd"]
    expr = manner.MILLION_USD.of(f"max({pipeline.metric})")
    query = said(expr, of_signals.NO_VALUE, pipeline.title)
    return panels.numbers(of_signals.about(pipeline), [query], manner.MILLION_USD, 5)


def _issuers(catalogue: Catalogue) -> Placed:
    share = catalogue["newissue_issuer_share_ratio"]
    (row,) = share.thresholds
    about = of_signals.about(
        share, title="Issuers' shares against insurers' limits",
        tells="Shares of 12 months' supply, all tenors. Insurers may hold so much of one name: past the limit the "
        "largest buyers are full.",
    )  # fmt: skip
    chosen = Chosen(_BY, {"bucket": row.id})
    return of_signals.ranked(share, about, 12, "issuer", chosen=chosen, unit=manner.TENTH_PERCENT, most=10)


def _deals(catalogue: Catalogue) -> Placed:
    names = ("size_busd", "concession_bp", "age_days", "newer_count")
    size, concession, age, newer = (catalogue[f"newissue_deal_{name}"] for name in names)
    by = "issuer, tenor, theme, deal_id"
    none = "no deal was priced lately"

    def of(name: str) -> str:
        return f"max by ({by}) ({Chosen(_BY).of(catalogue[name])})"

    shown = f"bottomk({MOST_ROWS}, {of(newer.name)})"
    about = About(
        "deals", "Last deals",
        "The newest priced tranches: how large, and what they paid above their issuer's own curve.",
        "A concession that grows from deal to deal: ask the syndicate desk what waits.",
        (size, concession, age, newer),
    )  # fmt: skip
    return panels.rows(
        about,
        tables.as_rows(
            or_says(f"1 + ({shown})", none, "issuer"),
            or_says(f"{of(age.name)} and {shown}", none, "issuer"),
            or_says(manner.BILLION_USD.of(f"{of(size.name)} and {shown}"), none, "issuer"),
            or_says(f"{of(concession.name)} and {shown}", none, "issuer"),
        ),
        [
            Column("Newest first", "Value #A", manner.COUNT, (tables.NO_NUMBER,), width=110),
            Column("Age", "Value #B", manner.DAYS, (tables.NO_NUMBER,), width=110),
            Column("Issuer", "issuer"),
            Column("Tenor", "tenor", width=90),
            Column("Theme", "theme", width=90),
            Column("Size", "Value #C", manner.BILLION_USD, (tables.NO_NUMBER,), width=120),
            Column("Concession", "Value #D", manner.TENTH_BP, (tables.NO_NUMBER,), width=130),
            Column("Tranche", "deal_id"),
        ],
        24, by="Newest first", descending=False,
    )  # fmt: skip
