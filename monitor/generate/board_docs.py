"""The page of the boards: each drawn small, then panel by panel."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from monitor.generate.boards import dashboards
from monitor.generate.boards.not_shown import NOT_SHOWN
from monitor.markdown import MADE, page, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.generate.facts import Facts

PATH: Final = "docs/boards.md"
_CHARACTERS: Final = 4
"""A column of the grid is so wide in a drawing."""
_BANNER: Final = "made up or not, age of the newest event, event time"

_KINDS: Final = {
    "timeseries": "lines over time", "stat": "numbers", "table": "table", "state-timeline": "states over time",
    "heatmap": "heat map", "bargauge": "ranked bars", "xychart": "points",
}  # fmt: skip
"""By Grafana's name of a kind of panel ours."""


def files(facts: Facts) -> dict[str, str]:
    """Path from the project's root, and text."""
    made = dashboards(facts)
    overview = table(
        ("board", "for"),
        [(f"[{board['title']}](#{_anchor(board['title'])})", _tells(board)) for board in made],
    )
    hidden = table(("metric", "why"), [(f"`{name}`", reason) for name, reason in NOT_SHOWN.items()])
    return {
        PATH: page(
            "Boards",
            "What people look at in Grafana, made from the same catalogue as the metrics and the alerts. All are read "
            "in one order: how bad, since when, why, where, can I trust it, what do I do. Colour means a level, and "
            "only that: orange a warning, vermilion critical, grey blind, blue information; a word or a shape says it, "
            "too. A dashed line is a threshold in force today, a mark on the time axis an alert, a gap no data. Times "
            "are New York's; the time axis is when Prometheus saw something, `since` is event time.",
            "On every board: the banner, which says whether the numbers are made up, how old the newest event is, and "
            "what time it is in the story; links to the other boards, which keep the time and the variables; and the "
            "data source. Where something rightly has no value a series without one says so: no zero is made up. "
            "A signal that no panel shows by name has one under *More signals*.",
            overview,
            *(part for board in made for part in _board(board)),
            "## On no board",
            hidden,
        )
    }


def _tells(board: dict[str, Any]) -> str:
    return str(board["description"]).removesuffix(MADE).strip()


def _anchor(title: str) -> str:
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def _board(board: dict[str, Any]) -> Iterator[str]:
    yield f"## {board['title']}"
    yield f"{_tells(board)} Its uid is `{board['uid']}`."
    variables = [v for v in board["templating"]["list"] if v["type"] == "query"]
    if variables:
        yield table(
            ("variable", "asks for"), [(f"`{v['name']}`: {v['label']}", f"`{v['definition']}`") for v in variables]
        )
    marks = [(mark["name"], f"`{mark['expr']}`") for mark in board["annotations"]["list"]]
    yield table(("mark on the time axis", "query"), marks)
    open_panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    folds = [panel for panel in board["panels"] if panel["type"] == "row"]
    yield "```text\n" + "\n".join(_drawn(open_panels, folds)) + "\n```"
    for panel in open_panels:
        yield from _panel(panel)
    for fold in folds:
        yield f"### Folded: {fold['title']}"
        for panel in fold["panels"]:
            yield from _panel(panel)


def _drawn(panels: Iterable[dict[str, Any]], folds: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The rows of a board as boxes, with their heights."""
    edge = ""
    for _, row in groupby(panels, key=lambda panel: panel["gridPos"]["y"]):
        across = list(row)
        edge = "+" + "".join("-" * (_CHARACTERS * panel["gridPos"]["w"] - 1) + "+" for panel in across)
        yield edge
        yield (
            "|"
            + "".join(_cell(_title(panel), panel["gridPos"]["w"]) for panel in across)
            + f" h {across[0]['gridPos']['h']}"
        )
    yield edge
    for fold in folds:
        yield f"> {fold['title']} ({len(fold['panels'])} panels, folded)"


def _cell(text: str, width: int) -> str:
    room = _CHARACTERS * width - 3
    return f" {text[:room]:{room}} |"


def _title(panel: dict[str, Any]) -> str:
    return str(panel.get("title") or _BANNER)


def _panel(panel: dict[str, Any]) -> Iterator[str]:
    grid = panel["gridPos"]
    yield f"#### {_title(panel)}"
    place = f"{grid['w']} x {grid['h']} at column {grid['x']}, row {grid['y']}"
    yield f"{_KINDS[panel['type']].capitalize()}, {place}. {panel['description']}"
    yield "```promql\n" + "\n\n".join(_query(target) for target in panel["targets"]) + "\n```"


def _query(target: dict[str, Any]) -> str:
    legend = f" {target['legendFormat']}" if target.get("legendFormat") else ""
    return f"# {target['refId']}{legend}\n{target['expr']}"
