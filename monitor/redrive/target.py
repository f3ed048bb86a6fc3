"""Where refused events are put."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from monitor.kafka.publisher import Publisher
from monitor.redrive.origin import FLUSH_SECONDS, RedriveError
from monitor.streams import STREAMS

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from monitor.kafka.connection import KafkaConnection
    from monitor.redrive.kept import Kept

REDRIVEN: Final = "redriven"
"""The header of a message that was put back: how often this was done with its content."""


class Target(ABC):
    """Takes what is put back.

    Attributes:
        is_noted: whether what is put there counts as put back.
    """

    is_noted: bool

    @abstractmethod
    def refuses(self, each: Kept) -> str | None:
        """Why it cannot be put there; None if it can."""

    @abstractmethod
    def put(self, each: Kept, times: int) -> None:
        """Put it there, for the so-manieth time."""

    @abstractmethod
    def flush(self) -> None:
        """Return when all of it is there."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""


class Topics(Target):
    """The topics that they came from, and there the same partitions.

    Args:
        connection: how the brokers are reached.

    Raises:
        KafkaConnectionError: none can be.
    """

    is_noted = True

    def __init__(self, connection: KafkaConnection) -> None:
        self._publisher = Publisher(connection)
        self._partitions: dict[str, int] = {}

    def refuses(self, each: Kept) -> str | None:
        """One that names no topic, and a vendor's message that came from none."""
        if each.topic:
            return None
        if each.is_mapped:
            return f"they came by the mapping of the source {each.source}, from no topic: have its feed send them again"
        return "nothing says which topic they came from"

    def put(self, each: Kept, times: int) -> None:
        """Send the bytes as they came."""
        topic = each.topic or ""
        if topic not in self._partitions:
            self._partitions[topic] = self._publisher.prepare(topic)
        # A partition that is there no more: any.
        is_there = each.partition is not None and each.partition < self._partitions[topic]
        self._publisher.send(
            topic,
            each.raw,
            partition=each.partition if is_there else None,
            headers=[(REDRIVEN, str(times).encode())],
        )

    def flush(self) -> None:
        """Wait until the brokers have acknowledged all."""
        self._publisher.flush(FLUSH_SECONDS)

    def close(self) -> None:
        """Let go of the brokers."""
        self._publisher.close(1.0)


class Folder(Target):
    """A new file a stream, as a replay reads them: a copy to try, so nothing counts as put back.

    What came by a mapping is in no shape of ours: it goes to `SOURCE.raw.ndjson`, for a source with that mapping.

    Args:
        folder: made if it is not there.

    Raises:
        RedriveError: it has such a file already.
    """

    is_noted = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        there = [name for name in STREAMS if (folder / f"{name}.ndjson").exists()]
        if there:
            raise RedriveError(f"{folder} has {there[0]}.ndjson already: name a new folder")

    def refuses(self, each: Kept) -> str | None:
        """One of no stream, or of more than a line."""
        if each.stream not in STREAMS and not each.is_mapped:
            return "nothing says which stream they are of"
        return "they hold a line break, and would be two lines of a file" if b"\n" in each.raw else None

    def put(self, each: Kept, times: int) -> None:
        """Write the bytes as a line."""
        del times
        try:
            name = f"{quote(each.source, safe='')}.raw" if each.is_mapped else each.stream
            if name not in self._files:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._files[name] = (self._folder / f"{name}.ndjson").open("xb")
            self._files[name].write(each.raw + b"\n")
        except OSError as error:
            raise self._broken(error) from error

    def flush(self) -> None:
        """Hand all over to the system."""
        try:
            for file in self._files.values():
                file.flush()
        except OSError as error:
            raise self._broken(error) from error

    def close(self) -> None:
        """Close the files."""
        try:
            for file in self._files.values():
                file.close()
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> RedriveError:
        return RedriveError(f"{self._folder} cannot be written: {error.strerror}")
