"""The real history that the package carries: published figures, with their provenance, as events of the streams.

A history is a folder of files named after their streams, as `stress-monitor replay` takes them, and
`PROVENANCE.md` says where every figure comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class History:
    """One carried history.

    Attributes:
        name: as `--history` takes it.
        title: what it is.
        first: the first value date.
        last: the last value date.
        highlight: days worth playing: `run --history` begins and ends there unless told otherwise.
        speed: how fast `run` plays it unless told otherwise, seconds of event time a second.
    """

    name: str
    title: str
    first: date
    last: date
    highlight: tuple[date, date]
    speed: float

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return Path(str(files(__package__))) / self.name


HISTORIES: Final[dict[str, History]] = {
    history.name: history
    for history in (
        History(
            name="repo-2018-2025",
            title="SOFR with percentiles and volume, other repo benchmarks, the Fed's policy rates",
            first=date(2018, 4, 2),
            last=date(2025, 1, 31),
            highlight=(date(2019, 9, 3), date(2019, 10, 4)),
            speed=6 * 3600.0,
        ),
        History(
            name="treasury-2019-2020",
            title="FedInvest's indicative quotes of four Treasuries: August to October 2019, February to May 2020",
            first=date(2019, 8, 15),
            last=date(2020, 5, 5),
            highlight=(date(2020, 3, 2), date(2020, 4, 10)),
            speed=6 * 3600.0,
        ),
    )
}
"""By name."""
