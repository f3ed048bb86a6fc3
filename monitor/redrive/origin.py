"""Where refused events were kept, and where it is noted which of them were put back."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from monitor.kafka.connection import KafkaConnectionError, reason_of
from monitor.kafka.publisher import Publisher
from monitor.redrive.kept import Kept, NotKeptError, of_line, of_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from monitor.kafka.connection import KafkaConnection

NOTES_SUFFIX: Final = ".put-back"
"""Beside a file of refused events stands a file of this name, an identity a line."""
PUT_BACK: Final = "put_back"
"""This header marks a message of a rejects topic that says which events were put back."""

CONNECT_SECONDS: Final = 10.0
FLUSH_SECONDS: Final = 30.0
_SILENCE_SECONDS: Final = 30.0
_POLL_MS: Final = 200


class RedriveError(Exception):
    """Refused events cannot be read or put back; the message says which, why, and what to do."""


class Note(NamedTuple):
    """That an event was put back.

    Attributes:
        identity: which it was.
        kept_in: the rejects topic that has it; empty for a file.
    """

    identity: str
    kept_in: str


class Origin(ABC):
    """Refused events, up to the end that they had when the reading began.

    Attributes:
        broken: how many lines or messages were none of a refused event.
    """

    broken: int = 0

    @abstractmethod
    def put_back(self) -> Counter[str]:
        """How often each identity was put back before; called once, before `kept`."""

    @abstractmethod
    def kept(self) -> Iterator[Kept]:
        """All of them, those of a partition in their order."""

    @abstractmethod
    def note(self, notes: Sequence[Note]) -> None:
        """Remember that these were put back now."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""


class KeptFile(Origin):
    """A file of lines, as `rejects.jsonl` of a replay or of a run; notes go into a file beside it.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._notes = path.with_name(path.name + NOTES_SUFFIX)
        try:
            self._end = path.stat().st_size
        except OSError as error:
            raise RedriveError(f"{path} cannot be read: {error.strerror}") from error

    def put_back(self) -> Counter[str]:
        """Out of the file beside it."""
        try:
            return Counter(self._notes.read_text(encoding="utf-8").splitlines()) if self._notes.exists() else Counter()
        except (OSError, UnicodeDecodeError) as error:
            raise RedriveError(f"{self._notes} cannot be read, which says what was put back before: {error}") from error

    def kept(self) -> Iterator[Kept]:
        """The lines, in their order."""
        try:
            with self._path.open("rb") as file:
                while file.tell() < self._end:
                    try:
                        yield of_line(file.readline())
                    except NotKeptError:
                        self.broken += 1
        except OSError as error:
            raise RedriveError(f"{self._path} cannot be read: {error.strerror}") from error

    def note(self, notes: Sequence[Note]) -> None:
        """Append them to the file beside it."""
        try:
            with self._notes.open("a", encoding="utf-8") as file:
                file.writelines(f"{each.identity}\n" for each in notes)
        except OSError as error:
            raise RedriveError(
                f"{self._notes} cannot be written ({error.strerror}): {len(notes)} events were put back, "
                "and another run would put them back once more"
            ) from error

    def close(self) -> None:
        """Nothing is held open."""


class KeptTopics(Origin):
    """Rejects topics; notes are messages of the topic itself, so they live as long as what they speak of.

    Args:
        connection: how their brokers are reached.
        topics: their names.

    Raises:
        KafkaConnectionError: no broker can be reached.
        RedriveError: there is no such topic.
    """

    def __init__(self, connection: KafkaConnection, topics: Sequence[str]) -> None:
        self._connection, self._topics = connection, tuple(topics)
        self._publisher: Publisher | None = None
        self._consumer = self._made()
        try:
            self._ends = self._found_ends()
        except BaseException:
            self._consumer.close()
            raise

    def put_back(self) -> Counter[str]:
        """Out of all messages that say so."""
        found: Counter[str] = Counter()
        for record in self._records():
            if _is_note(record):
                found.update(_identities(record.value))
        return found

    def kept(self) -> Iterator[Kept]:
        """The messages, a partition's in their order."""
        for record in self._records():
            if _is_note(record):
                continue
            try:
                kept = of_message(record.topic, record.headers, record.value, record.timestamp)
            except NotKeptError:
                self.broken += 1
                continue
            yield kept

    def note(self, notes: Sequence[Note]) -> None:
        """Send a message to each rejects topic of them."""
        self._publisher = self._publisher or Publisher(self._connection)
        by_topic: dict[str, list[str]] = {}
        for each in notes:
            by_topic.setdefault(each.kept_in, []).append(each.identity)
        for topic, of_topic in by_topic.items():
            value = json.dumps(of_topic).encode()
            self._publisher.send(topic, value, key=PUT_BACK.encode(), headers=[(PUT_BACK, b"true")])
        self._publisher.flush(FLUSH_SECONDS)

    def close(self) -> None:
        """Let go of the brokers."""
        self._consumer.close()
        if self._publisher is not None:
            self._publisher.close(1.0)

    def _made(self) -> KafkaConsumer:
        try:
            return KafkaConsumer(
                **self._connection.client_options(),
                bootstrap_timeout_ms=int(CONNECT_SECONDS * 1_000),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
            )
        except (KafkaError, OSError) as error:
            raise self._broken(error) from error

    def _found_ends(self) -> dict[TopicPartition, int]:
        """The end of every partition at this moment."""
        try:
            parts = []
            for topic in self._topics:
                numbers = self._consumer.partitions_for_topic(topic)
                if not numbers:
                    raise RedriveError(
                        f"{self._brokers} have no topic {topic}: a rejects topic is made when the first event of its "
                        "topic is refused"
                    )
                parts += [TopicPartition(topic, number) for number in sorted(numbers)]
            return dict(self._consumer.end_offsets(parts))
        except (KafkaError, OSError) as error:
            raise self._broken(error) from error

    def _records(self) -> Iterator[Any]:
        """Every message from the beginning to these ends."""
        consumer = self._consumer
        try:
            consumer.assign(list(self._ends))
            consumer.resume(*self._ends)
            consumer.seek_to_beginning()
            open_ = set(self._ends)
            heard_at = time.monotonic()
            while open_ := {part for part in open_ if consumer.position(part) < self._ends[part]}:
                consumer.pause(*(set(self._ends) - open_))
                fetched = consumer.poll(_POLL_MS)
                if fetched:
                    heard_at = time.monotonic()
                elif time.monotonic() - heard_at > _SILENCE_SECONDS:
                    raise RedriveError(f"{self._brokers}: no answer came for {_SILENCE_SECONDS:g} s")
                for part, records in fetched.items():
                    yield from (record for record in records if record.offset < self._ends[part])
        except (KafkaError, OSError) as error:
            raise self._broken(error) from error

    @property
    def _brokers(self) -> str:
        return ", ".join(self._connection.brokers)

    def _broken(self, error: BaseException) -> KafkaConnectionError:
        return KafkaConnectionError(f"{self._brokers}: {reason_of(error)}")


def _is_note(record: Any) -> bool:  # noqa: ANN401 - the client has no types
    return any(name == PUT_BACK for name, _ in record.headers)


def _identities(value: bytes | None) -> list[str]:
    """Those that a note names; one that somebody else wrote names none."""
    try:
        named = json.loads(value or b"[]")
    except ValueError:
        return []
    return [each for each in named if isinstance(each, str)] if isinstance(named, list) else []
