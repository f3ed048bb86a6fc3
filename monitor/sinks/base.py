"""The contract of a sink: who calls what, and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.results import Ingested, Output


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
