"""Asks a running Prometheus what the boards ask, as Grafana would."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chain.parts import Prometheus
from tests.grafana.reading import Asked, Variable, filled

_BETWEEN_SECONDS: Final = 2


def tells_something(series: Iterable[dict[str, Any]]) -> bool:
    """Whether any of the series has a number: a row that says that there is none has not, or it is in no segment."""
    is_nothing = {"nothing fires", "nothing is blind"}
    return any(each["value"][1] != "NaN" and each["metric"].get("title") not in is_nothing for each in series)


@dataclass
class Answers:
    """What the queries have brought so far.

    Attributes:
        told: the queries that have brought a number.
        empty: those that brought no series at all, with when: where nothing is to be said a row has to say so.
    """

    told: set[Asked] = field(default_factory=set)
    empty: set[Asked] = field(default_factory=set)

    def ask(self, prometheus: Prometheus, queries: Iterable[Asked]) -> None:
        """Ask all, with all values of the variables."""
        for query in queries:
            series = prometheus.query(query.filled())
            if not series:
                self.empty.add(query)
            elif tells_something(series):
                self.told.add(query)


def ask_until_told(
    prometheus: Prometheus, queries: list[Asked], goes_on: Callable[[], bool], seconds: float
) -> Answers:
    """Ask again and again, until every query has brought a number, or the time is over, or the story is."""
    answers = Answers()
    end = time.monotonic() + seconds
    while True:
        is_last = time.monotonic() > end or not goes_on()
        answers.ask(prometheus, [query for query in queries if query not in answers.told])
        if is_last or len(answers.told) == len(queries):
            return answers
        time.sleep(_BETWEEN_SECONDS)


def values_of(prometheus: Prometheus, variable: Variable, chosen: dict[str, str]) -> list[str]:
    """The values that a variable has, once those before it are chosen."""
    series = prometheus.query(filled(variable.selector, chosen.__getitem__))
    return sorted({each["metric"][variable.label] for each in series if each["metric"].get(variable.label)})


def choose(prometheus: Prometheus, variables: Iterable[Variable]) -> dict[str, str]:
    """A real value of each variable of a board, the first that goes with those before it."""
    chosen: dict[str, str] = {}
    for variable in variables:
        values = values_of(prometheus, variable, chosen)
        assert values, f"{variable.board}: {variable.name} has no values with {chosen}"
        chosen[variable.name] = values[0]
    return chosen
