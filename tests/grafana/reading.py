"""Reads boards as Grafana does: their panels, also the folded ones, and their queries with the variables filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from monitor.generate.boards import dashboards
from monitor.generate.facts import Facts

BOARDS: Final = dashboards(Facts())
EVERYTHING: Final = ".*"
"""What a variable stands for when all is chosen."""
_BUILT_IN: Final = {"__rate_interval": "1m", "__interval": "15s", "__range": "5m"}
# A name, not the number of a group of a regular expression.
_VARIABLE: Final = re.compile(r"\$(?:([a-zA-Z_]\w*)|\{([a-zA-Z_]\w*)(?::\w+)?\})")


@dataclass(frozen=True)
class Asked:
    """One query of a board.

    Attributes:
        board: its uid.
        panel: the panel, or the mark.
        title: of it.
        ref: of the query.
        expr: PromQL with variables.
    """

    board: str
    panel: dict[str, Any] = field(compare=False)
    title: str
    ref: str
    expr: str

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.board} / {self.title or 'banner'} / {self.ref}"

    def filled(self, variables: Mapping[str, str] | None = None) -> str:
        """As it is asked with these values of the board's variables; all of those that are not given."""
        return filled(self.expr, lambda name: (variables or {}).get(name, EVERYTHING))


def filled(expr: str, value: Callable[[str], str]) -> str:
    """A query with its variables filled in."""
    return _VARIABLE.sub(lambda found: _value(found[1] or found[2], value), expr)


def _value(name: str, value: Callable[[str], str]) -> str:
    return _BUILT_IN.get(name) or value(name)


def panels_of(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels of a board, the folded ones too; no rows."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def open_panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that are seen when the board is opened."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries_of(board: dict[str, Any]) -> list[Asked]:
    """The queries of all panels."""
    return [
        Asked(board["uid"], panel, panel["title"], target["refId"], target["expr"])
        for panel in panels_of(board)
        for target in panel["targets"]
    ]


def marks_of(board: dict[str, Any]) -> list[Asked]:
    """The queries of what is marked on the time axes."""
    return [Asked(board["uid"], mark, mark["name"], "mark", mark["expr"]) for mark in board["annotations"]["list"]]


QUERIES: Final = [query for board in BOARDS for query in queries_of(board)]
MARKS: Final = [mark for board in BOARDS for mark in marks_of(board)]
_LABEL_VALUES: Final = re.compile(r"label_values\((.*), (\w+)\)", re.DOTALL)


@dataclass(frozen=True)
class Variable:
    """A variable that asks Prometheus for its values.

    Attributes:
        board: its uid.
        name: likewise.
        selector: of the series whose label is asked for.
        label: likewise.
    """

    board: str
    name: str
    selector: str
    label: str


def variables_of(board: dict[str, Any]) -> list[Variable]:
    """The variables of a board, in the order in which they are chosen."""
    found = []
    for each in board["templating"]["list"]:
        if each["type"] == "query":
            asked = _LABEL_VALUES.fullmatch(each["query"]["query"])
            assert asked, each["query"]
            found.append(Variable(board["uid"], each["name"], asked[1], asked[2]))
    return found


VARIABLES: Final = [variable for board in BOARDS for variable in variables_of(board)]

_STRINGS: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_MATCHERS: Final = re.compile(r"\{[^}]*\}")
_DURATIONS: Final = re.compile(r"\[[^\]]*\]|offset\s+\S+")
_LABELS: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_CALLED: Final = re.compile(r"\b[a-z_]+\s*\(")
_NAME: Final = re.compile(r"(?<![\w:.])[a-zA-Z_][\w:]*")
_WORDS: Final = {"and", "or", "unless", "bool", "NaN", "Inf"}


def metrics_in(expr: str) -> set[str]:
    """The names of the metrics that a query asks for.

    >>> sorted(metrics_in('a{b="c"} and on (d) max by (e) (rate(f_total[5m])) * on () group_left (g) NaN'))
    ['a', 'f_total']
    """
    bare = _STRINGS.sub("", expr)
    for pattern in (_MATCHERS, _DURATIONS, _LABELS, _CALLED):
        bare = pattern.sub(" ", bare)
    bare = re.sub(r"@\s*end\s*\(\s*\)|@\s*\)|@", " ", bare)
    return {name for name in _NAME.findall(bare) if name not in _WORDS}
