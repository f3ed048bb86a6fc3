"""A board: what it is for, its rows of panels and those folded below; and how it becomes a dashboard of Grafana."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast
from zlib import crc32

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, GridPos

from monitor.generate.boards import head
from monitor.markdown import MADE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel, VariableModel

    from monitor.generate.boards.panels import Placed
    from monitor.generate.facts import Facts
    from monitor.links import Links

COLUMNS: Final = 24
MOST_OPEN: Final = 12
TIME_ZONE: Final = "America/New_York"
BANNER_HEIGHT: Final = 2


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side.

    Attributes:
        height: in units of the grid.
        panels: from left to right.
    """

    height: int
    panels: tuple[Placed, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows that are folded away until somebody wants them.

    Attributes:
        title: of what is folded.
        rows: from top to bottom.
    """

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One board.

    Attributes:
        uid: in every link, for ever.
        title: for people.
        tells: what it is for.
        rows: from top to bottom, under the banner.
        folds: below them.
        variables: after the data source.
        marks: on the time axes.
        since: where the time that is shown begins.
    """

    uid: str
    title: str
    tells: str
    rows: tuple[Row, ...]
    folds: tuple[Fold, ...] = ()
    variables: Sequence[Builder[VariableModel]] = ()
    marks: Sequence[build.AnnotationQuery] = field(default=())
    since: str = "now-8h"

    @property
    def panels(self) -> tuple[Placed, ...]:
        """All of them, the folded ones too."""
        rows = [*self.rows, *(row for fold in self.folds for row in fold.rows)]
        return tuple(placed for row in rows for placed in row.panels)


def side_by_side(placed: Sequence[Placed], height: int) -> tuple[Row, ...]:
    """Panels in rows, as many in each as there is room for."""
    rows: list[list[Placed]] = []
    for each in placed:
        if not rows or sum(panel.width for panel in rows[-1]) + each.width > COLUMNS:
            rows.append([])
        rows[-1].append(each)
    return tuple(Row(height, tuple(row)) for row in rows)


def number_of(key: str) -> int:
    """A panel's number: of its key alone, so that it stays when other panels come and go."""
    return crc32(key.encode()) % 1_000_000 + 1


def dashboard(board: Board, facts: Facts) -> dict[str, Any]:
    """The board as Grafana reads it."""
    made = build.Dashboard(board.title).uid(board.uid).description(f"{board.tells}\n\n{MADE}").tags([head.TAG])
    made.timezone(TIME_ZONE).time(board.since, "now").refresh("10s").tooltip(DashboardCursorSync.CROSSHAIR).readonly()
    for variable in (head.datasource_variable(), *board.variables):
        made.with_variable(variable)
    made.annotations(list(board.marks)).links(head.links(facts))
    banner = head.banner()
    y = BANNER_HEIGHT
    made.with_panel(_at(banner, 0, 0, BANNER_HEIGHT, facts.links))
    for row in board.rows:
        for x, placed in _across(row):
            made.with_panel(_at(placed, x, y, row.height, facts.links))
        y += row.height
    for fold in board.folds:
        folded = build.Row(fold.title).id(number_of(f"fold {fold.title}")).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=y))
        below = y = y + 1
        for row in fold.rows:
            for x, placed in _across(row):
                folded.with_panel(_at(placed, x, below, row.height, facts.links))
            below += row.height
        made.with_row(folded)
    read: dict[str, Any] = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    _check(board)
    return read


def _across(row: Row) -> Iterable[tuple[int, Placed]]:
    x = 0
    for placed in row.panels:
        yield x, placed
        x += placed.width


def _at(placed: Placed, x: int, y: int, height: int, links: Links) -> Builder[Panel]:
    builder, about = placed.builder, placed.about
    builder.id(number_of(about.key)).grid_pos(GridPos(h=height, w=placed.width, x=x, y=y))
    runbooks = [
        (f"Runbook: {signal.title}", links.runbook(signal.alert)) for signal in about.signals if signal.thresholds
    ]
    if ways := [*about.links, *runbooks]:
        builder.links([
            build.DashboardLink(title).type(DashboardLinkType.LINK).url(url).target_blank(True) for title, url in ways
        ])  # fmt: skip
    return cast("Builder[Panel]", builder)


def _check(board: Board) -> None:
    """What cannot be put right by looking at it later."""
    keys = ["banner", *(placed.about.key for placed in board.panels)]
    if len(set(map(number_of, keys))) < len(keys):
        raise ValueError(f"{board.title}: two panels have one key, or one number")
    for row in board.rows:
        if sum(placed.width for placed in row.panels) != COLUMNS:
            raise ValueError(f"{board.title}: the row of {row.panels[0].about.title} is not {COLUMNS} columns wide")
    if 1 + sum(len(row.panels) for row in board.rows) > MOST_OPEN:
        raise ValueError(f"{board.title}: more than {MOST_OPEN} panels are open at once")
