"""Which topics are read, and what stream each holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.kafka.names import REJECTS_SUFFIX
from monitor.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_TOPICS: Final = tuple(stream.topic for stream in STREAMS.values())

_STREAM_OF: Final = {stream.topic: stream.name for stream in STREAMS.values()}


@dataclass(frozen=True, slots=True)
class Topics:
    r"""Topics by their names, or all whose whole name a regular expression matches.

    >>> Topics(pattern=r"desk-\w+[.]quotes").among(["desk-a.quotes", "desk-a.quotes.rejects", "other"])
    ['desk-a.quotes']
    """

    names: tuple[str, ...] = DEFAULT_TOPICS
    pattern: str | None = None

    def among(self, there: Iterable[str]) -> list[str]:
        """Those of the brokers' topics that are read, in order."""
        if self.pattern is None:
            return sorted(set(self.names) & set(there))
        wanted = re.compile(self.pattern)
        return sorted(
            topic
            for topic in set(there)
            if wanted.fullmatch(topic) and not topic.endswith(REJECTS_SUFFIX) and not topic.startswith("__")
        )

    def missing(self, there: Iterable[str]) -> list[str]:
        """Topics that were named and are not there."""
        return [] if self.pattern is not None else sorted(set(self.names) - set(there))

    @property
    def whole_pattern(self) -> str:
        """The regular expression for a client that looks for it at the beginning of a name."""
        return rf"(?!__)(?:{self.pattern})$(?<!{re.escape(REJECTS_SUFFIX)})"

    @property
    def text(self) -> str:
        """For people."""
        return ", ".join(self.names) if self.pattern is None else f"topics like {self.pattern}"


def stream_of(topic: str) -> str | None:
    """The stream whose topic it is by default; None if it is another."""
    return _STREAM_OF.get(topic)
