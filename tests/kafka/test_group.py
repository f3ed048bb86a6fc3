"""Sources that share the partitions of a topic by a consumer group of a real broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from monitor.sources.base import LINES_A_MESSAGE, RawBatch
from monitor.sources.kafka import KafkaSource, limits
from tests.kafka.broker import Broker, create_topic
from tests.kafka.reading import by_partition, fill, numbered, source_of

PATIENCE_SECONDS = 20.0
PARTITIONS = 4


class Ledger:
    """Up to where each partition was taken in, as the members of a group share it."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.claims: list[tuple[str, str, int]] = []
        self.taken: list[tuple[str, RawBatch]] = []

    def claim_of(self, member: str) -> Callable[[str, int], int | None]:
        def claim(partition: str, generation: int) -> int | None:
            self.claims.append((member, partition, generation))
            return self.positions.get(partition)

        return claim

    def take(self, member: str, batch: RawBatch) -> None:
        """Take it in, unless its partition was given to somebody since: its owner's place is then another."""
        newest = max(generation for _, partition, generation in self.claims if partition == batch.partition)
        assert batch.generation is not None
        if batch.generation < newest:
            return
        self.taken.append((member, batch))
        assert batch.offsets[0] >= self.positions.get(batch.partition, 0), "it was handed over before"
        self.positions[batch.partition] = batch.offsets[-1] + 1

    @property
    def count(self) -> int:
        return sum(len(batch) for _, batch in self.taken)


class Member:
    """A source of the group."""

    def __init__(self, name: str, bootstrap: str, topic: str, group: str, ledger: Ledger, **options: object) -> None:
        self.name, self.ledger = name, ledger
        given = {"claim": ledger.claim_of(name), "session_seconds": 2.0, **options}
        topics = () if "pattern" in given else (topic,)
        self.source: KafkaSource = source_of(bootstrap, *topics, group=group, **given)
        self.source.open()

    def poll(self, size: int = 50) -> None:
        if (batch := self.source.poll(size)) is not None:
            self.ledger.take(self.name, batch)

    @property
    def owns(self) -> set[str]:
        return set(self.source.partitions())

    def leave(self) -> None:
        self.source.close(2.0)

    def die(self) -> None:
        """Say nothing more to the broker, as a process that was killed."""
        self.source._client.consumer._client._net.stop(1_000)


class Group:
    """Members over one topic, polled in turn."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.bootstrap, self.topic, self.name = bootstrap, topic, f"group-{uuid4().hex}"
        self.ledger = Ledger()
        self.members: list[Member] = []

    def join(self, name: str, **options: object) -> Member:
        member = Member(name, self.bootstrap, self.topic, self.name, self.ledger, **options)
        self.members.append(member)
        return member

    def until(self, is_so: Callable[[], object], size: int = 50) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            for member in self.members:
                member.poll(size)
            assert time.monotonic() < deadline, (self.ledger.positions, [each.owns for each in self.members])

    def is_shared_out(self, count: int = PARTITIONS) -> bool:
        """Whether each partition is owned once, and all members have some."""
        owned = [partition for member in self.members for partition in member.owns]
        return len(owned) == len(set(owned)) == count and all(member.owns for member in self.members)

    def read_all(self, count: int, size: int = 50) -> dict[str, list[tuple[int, bytes]]]:
        self.until(lambda: self.ledger.count >= count, size)
        return by_partition([batch for _, batch in self.ledger.taken])


@pytest.fixture
def group(broker: Broker, topic: str) -> Iterator[Group]:
    made = Group(broker.bootstrap, topic)
    yield made
    for member in made.members:
        member.leave()


@contextmanager
def many(group: Group, first: int, count: int) -> Iterator[dict[str, list[tuple[int, bytes]]]]:
    """Write so many messages to each partition; gives all that was ever written, from 0."""
    fill(group.bootstrap, group.topic, dict.fromkeys(range(PARTITIONS), numbered(count, first)))
    yield {f"{group.topic}/{p}": list(enumerate(numbered(first + count))) for p in range(PARTITIONS)}


def test_two_share_the_partitions_and_each_is_claimed_once_a_generation(group: Group) -> None:
    group.join("a")
    group.until(group.is_shared_out)
    with many(group, 0, 100) as written:
        group.join("b")
        group.until(group.is_shared_out)
        assert [len(member.owns) for member in group.members] == [2, 2]
        assert group.read_all(400) == written
    claims = [(partition, generation) for _, partition, generation in group.ledger.claims]
    assert len(set(claims)) == len(claims), "claimed twice in a generation"
    for partition in written:
        generations = [generation for name, generation in claims if name == partition]
        assert generations == sorted(generations)
    for member, batch in group.ledger.taken:
        assert (member, batch.partition, batch.generation) in group.ledger.claims


def test_partitions_move_when_a_member_leaves_and_nothing_is_lost_or_doubled(group: Group) -> None:
    for name in "abc":
        group.join(name)
    with many(group, 0, 60):
        group.until(lambda: group.is_shared_out() and group.ledger.count > 100, size=3)
    group.members.pop().leave()
    group.until(group.is_shared_out)
    with many(group, 60, 40) as written:
        assert group.read_all(400) == written


def test_what_a_killed_member_had_goes_to_the_others_after_its_session(group: Group) -> None:
    group.join("a")
    killed = group.join("b")
    group.until(group.is_shared_out)
    with many(group, 0, 50) as written:
        group.read_all(200)
        assert by_partition([batch for _, batch in group.ledger.taken]) == written
    group.members.remove(killed)
    killed.die()
    began = time.monotonic()
    try:
        with many(group, 50, 50) as written:
            assert group.read_all(400) == written
        assert time.monotonic() - began < 2.0 + 6.0
    finally:
        killed.leave()


def test_what_is_held_up_at_a_rebalance_comes_all_the_same(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions are paused and full while others join and leave: the client holds messages of what it has no more."""
    monkeypatch.setattr(limits, "BUFFERED_RECORDS", 10)
    monkeypatch.setattr(limits, "FETCHED_AT_ONCE", 20)
    group.join("a")
    with many(group, 0, 500) as written:
        group.until(lambda: group.ledger.count > 100, size=5)
        group.join("b")
        group.until(group.is_shared_out, size=5)
        group.join("c")
        group.until(group.is_shared_out, size=5)
        group.members.pop(0).leave()
        assert group.read_all(2_000, size=40) == written


def test_members_that_come_and_go_all_the_time_break_nobody(group: Group) -> None:
    """What the group takes it takes at any moment, also between two questions about a partition."""
    group.join("a")
    with many(group, 0, 300) as written:
        for turn in range(5):
            group.join(f"b{turn}")
            until = time.monotonic() + 0.25 * (turn % 3)
            group.until(lambda until=until: time.monotonic() >= until, size=4)  # type: ignore[misc]
            group.members.pop().leave()
            until = time.monotonic() + 0.1 * turn
            group.until(lambda until=until: time.monotonic() >= until, size=4)  # type: ignore[misc]
        assert group.read_all(1_200) == written


def test_what_is_taken_between_two_questions_about_it_is_no_error(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own thread takes a partition before the source is told."""
    monkeypatch.setattr(limits, "BUFFERED_RECORDS", 10)
    member = group.join("a")
    with many(group, 0, 100):
        group.until(lambda: group.ledger.count > 20, size=3)
    member.source._client.consumer._subscription.assign_from_subscribed([])
    for tp in list(member.source._partitions):
        assert member.source._client.position(tp) is None
    for _ in range(60):
        member.poll(20)
    assert group.ledger.count > 40, "what was in hand is still handed over"


def test_what_the_claim_says_is_where_it_goes_on(group: Group) -> None:
    fill(group.bootstrap, group.topic, {0: numbered(9), 1: numbered(9)})
    group.ledger.positions[f"{group.topic}/1"] = 4 * LINES_A_MESSAGE
    group.join("a", start="latest")
    group.until(group.is_shared_out)
    fill(group.bootstrap, group.topic, {0: [b"new"]})
    expected = {f"{group.topic}/0": [(9, b"new")], f"{group.topic}/1": list(enumerate(numbered(9)))[4:]}
    assert group.read_all(6) == expected


def test_a_pattern_never_gives_topics_of_rejects(broker: Broker) -> None:
    name = f"shared-{uuid4().hex}"
    for each in (name, f"{name}.rejects"):
        create_topic(broker.bootstrap, each, 1)
        fill(broker.bootstrap, each, {0: [each.encode()]})
    made = Group(broker.bootstrap, name)
    member = made.join("a", pattern=rf"{name}.*")
    try:
        assert made.read_all(1) == {f"{name}/0": [(0, name.encode())]}
        assert member.owns == {f"{name}/0"}
    finally:
        member.leave()
