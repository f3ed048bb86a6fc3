"""The contract of a sink: who calls what, and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from monitor.results import Ingested, Output


SYNTHETIC: Final = "synthetic"
"""The key by which outputs say that their events are made up."""


MAPPED: Final = "mapped"
"""The key by which a refused event says that a mapping looked at it: its bytes are a vendor's, in no shape of ours."""


def synthetic_sentence(sentence: str) -> str:
    """A sentence about made-up events, so that nobody who reads it alone takes it for real."""
    return f"SYNTHETIC: {sentence}"


class SinkError(Exception):
    """A sink cannot be written; the message says which, where, and what to do."""


class Sink(ABC):
    """Takes results. All calls come from the one thread that runs the pipeline, in the order of events."""

    @abstractmethod
    def ingested(self, what: Ingested) -> None:
        """Called for every stream of every batch, before the ticks that the batch makes possible."""

    @abstractmethod
    def wrote(self, output: Output) -> None:
        """Called for every output of the pipeline, in the order of ticks."""

    @abstractmethod
    def close(self) -> None:
        """Called once, after the last output, also when the run failed."""
