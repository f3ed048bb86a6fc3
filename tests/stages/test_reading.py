"""A pipeline that reads what others sealed tells what one that seals by itself tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.bars import KINDS
from monitor.engine.block import BARS, Block, Claim, Standing, encode
from monitor.engine.owned import Owned
from monitor.engine.retention import IDS
from monitor.intake import Intake
from monitor.pipeline import BEHIND_RELEASE_US, IDLE_RELEASE_US, Pipeline
from monitor.sources.base import RawBatch
from tests.signals.events import CALENDAR, S
from tests.signals.market_logs import logs
from tests.test_pipeline import SIGNALS, Feed, assert_same, replay_of_log

if TYPE_CHECKING:
    from monitor.checkpoint import Checkpoint
    from monitor.results import Ingested, Output
    from tests.test_pipeline import Told

LOG: Final = "monitor.bars/0"


@dataclass
class Reader:
    """A pipeline on a topic of bars of one partition.

    Attributes:
        bars: all that stands in the topic.
        read: how much of it was read.
    """

    pipeline: Pipeline = field(default_factory=lambda: Pipeline(SIGNALS, CALENDAR))
    bars: list[bytes] = field(default_factory=list)
    read: int = 0
    now_us: int | None = None
    outputs: list[Output] = field(default_factory=list)
    commits: list[Checkpoint] = field(default_factory=list)

    def write(self, *some: Claim | Block) -> None:
        self.bars += [encode(each) for each in some]

    def ingest(self, most: int = 1 << 30) -> list[Ingested]:
        """Read what was written, so many at most."""
        payloads = self.bars[self.read : self.read + most]
        batch = RawBatch("bars", BARS, LOG, range(self.read, self.read + len(payloads)), payloads)
        self.read += len(payloads)
        return self.pipeline.ingest(batch, self.now_us)

    def advance(self, upto: int | None = None) -> int | None:
        self.outputs += self.pipeline.advance(upto, self.now_us)
        return self.pipeline.ran

    def restart(self) -> None:
        """Commit, and begin anew from there."""
        self.commits.append(self.pipeline.checkpoint())
        names = {name for each in self.commits for name in each.appends}
        appends = {name: pl.concat([e.appends[name] for e in self.commits if name in e.appends]) for name in names}
        self.pipeline = Pipeline(SIGNALS, CALENDAR)
        self.pipeline.restore(type(self.commits[-1])(appends, self.commits[-1].states))
        self.read = self.pipeline.positions.get(LOG, 0)

    @property
    def told(self) -> Told:
        steps = pl.concat([pl.DataFrame(schema=self.pipeline.step_shape), *(each.steps for each in self.outputs)])
        index = pl.concat([each.index for each in self.outputs])
        return steps, [each for output in self.outputs for each in output.transitions], index


class Sealers:
    """Seals the partitions of a feed, each by one owner after the other."""

    def __init__(self, feed: Feed, reader: Reader) -> None:
        self.feed, self.reader, self.intake = feed, reader, Intake()
        self.owned: dict[str, Owned] = {}
        self.blocks: dict[str, list[Block]] = {name: [] for name in feed.events}
        self.at = dict.fromkeys(feed.events, 0)
        self.generations = count(1)
        for name in feed.events:
            self.hand_on(name)

    def hand_on(self, name: str) -> None:
        """A new owner claims a partition; what the old one had not written is lost."""
        generation = next(self.generations)
        self.reader.write(Claim(name, "group", generation, "token", tuple(self.feed.events)))
        self.owned[name] = Owned(name, generation)
        self.owned[name].restore(self.blocks[name])
        self.at[name] = self.owned[name].standing.oldest_open

    def push(self, name: str, size: int) -> None:
        """Take in the next of a partition."""
        if self.at[name] == len(self.feed.events[name]):
            return
        owned, batch = self.owned[name], self.feed.batch(name, self.at[name], size)
        self.intake.take_in(batch, owned.partition, owned.push)
        self.at[name] += len(batch)
        owned.is_behind = self.at[name] < len(self.feed.events[name])

    def write(self, name: str) -> None:
        block = self.owned[name].take_block()
        if block is not None:
            self.blocks[name].append(block)
            self.reader.write(block)

    @property
    def first_unwritten(self) -> int:
        """The newest tick that nothing that is not in the topic can change."""
        written = {name: blocks[-1].standing.next_position if blocks else 0 for name, blocks in self.blocks.items()}
        unread = [each for name, some in self.feed.events.items() for each in some[written[name] :]]
        return -(-min((each.fields["ts"] for each in unread), default=self.feed.end * S) // S) - 1


_WHAT: Final = ("push", "push", "push", "write", "write", "hand on", "restart")


@given(st.data())
@settings(deadline=None, max_examples=6)
def test_whoever_seals_and_however_it_comes_the_same_is_told(data: st.DataObject) -> None:
    feed = Feed(data.draw(logs(), label="log"))
    reader = Reader()
    sealers = Sealers(feed, reader)
    names = sorted(feed.events)
    for _ in range(data.draw(st.integers(1, 20), label="turns")):
        if not names:
            break
        name = data.draw(st.sampled_from(names), label="partition")
        match data.draw(
            st.sampled_from(["push", "push", "push", "write", "write", "hand on", "restart"]), label="what"
        ):
            case "push":
                sealers.push(name, data.draw(st.sampled_from([1, 3, 20, 60]), label="size"))
            case "write":
                sealers.write(name)
                upto = sealers.first_unwritten
                reader.ingest()
                reader.advance(upto)
            case "hand on":
                sealers.hand_on(name)
                reader.ingest()
            case "restart":
                reader.restart()
                reader.ingest()
    for name in names:
        sealers.push(name, 1 << 30)
        sealers.owned[name].release()
        sealers.write(name)
    reader.ingest()
    reader.pipeline.finish()
    reader.advance(feed.end)
    reader.restart()

    expected = replay_of_log(feed)
    assert_same(reader.told, expected.told)
    recorded = expected.recorded
    names_of_rows = {name for each in reader.commits for name in each.appends} - {IDS}
    assert names_of_rows == recorded.appends.keys() - {IDS}
    for row in names_of_rows:
        frames = [each.appends[row] for each in reader.commits if row in each.appends]
        mine, theirs = pl.concat(frames), recorded.appends[row]
        assert mine.sort(mine.columns).equals(theirs.sort(theirs.columns)), row


# How long ticks wait, and what comes too late.

T0: Final = 1_778_504_400
ALL: Final = ("treasury.quotes/0", "treasury.quotes/1")


def claim(partition: str, generation: int = 1) -> Claim:
    return Claim(partition, "group", generation, f"{partition} {generation}", ALL)


def block(partition: str, seconds: range, *, generation: int = 1, **standing: Any) -> Block:
    """A quote a second, all of them sealed."""
    owned = Owned(partition, generation)
    payloads = [
        msgspec.json.encode({
            "ts": (T0 + second) * S, "instrument": f"UST-{partition[-1]}", "bid": 99.5, "ask": 99.515625,
            "bid_size": 50, "ask_size": 50, "tenor_years": 10, "on_the_run": True,
        })
        for second in seconds
    ]  # fmt: skip
    Intake().take_in(RawBatch("made", "treasury", partition, seconds, payloads), owned.partition, owned.push)
    owned.release()
    made = owned.take_block()
    assert made is not None
    stands = {"is_held": True, "is_behind": False, "watermark_us": (T0 + seconds.stop) * S} | standing
    return Block(
        partition, generation, msgspec.structs.replace(made.standing, **stands), made.bars, attributes=made.attributes
    )


def ran(reader: Reader) -> int | None:
    found = reader.advance()
    return None if found is None else found - T0


class TestTicksWait:
    @pytest.fixture(params=[False, True], ids=["", "restarted"])
    def reader(self, request: pytest.FixtureRequest) -> Reader:
        """A reader; or one that is restarted whenever it has read something."""
        reader = Reader()
        if request.param:
            ingest = reader.ingest

            def ingest_and_restart(most: int = 1 << 30) -> list[Ingested]:
                told = ingest(most)
                reader.restart()
                return told

            reader.ingest = ingest_and_restart  # type: ignore[method-assign]
        return reader

    def test_for_a_partition_that_was_claimed_until_its_owner_says_how_it_stands(self, reader: Reader) -> None:
        reader.write(claim(ALL[0]), claim(ALL[1]), block(ALL[0], range(20)))
        reader.ingest()
        assert ran(reader) is None
        reader.write(block(ALL[1], range(10)))
        reader.ingest()
        assert ran(reader) == 10

    def test_for_one_that_the_group_has_and_nobody_has_claimed(self, reader: Reader) -> None:
        reader.write(claim(ALL[0]), block(ALL[0], range(20)))
        reader.ingest()
        assert ran(reader) is None
        reader.write(claim(ALL[1]), Block(ALL[1], 1, Standing()))
        reader.ingest()
        assert ran(reader) == 20

    def test_for_one_whose_owner_says_it_is_behind(self, reader: Reader) -> None:
        reader.write(claim(ALL[0]), claim(ALL[1]), block(ALL[0], range(20)))
        reader.write(block(ALL[1], range(5), is_behind=True, is_held=False, watermark_us=(T0 + 2) * S))
        reader.ingest()
        assert ran(reader) == 2  # as far as it has come, less what may be out of order
        reader.write(Block(ALL[1], 1, Standing(5, 5, is_behind=False)))
        reader.ingest()
        assert ran(reader) == 20

    def test_as_far_as_all_that_are_held_have_come(self, reader: Reader) -> None:
        reader.write(claim(ALL[0]), claim(ALL[1]), block(ALL[0], range(20)), block(ALL[1], range(7)))
        reader.ingest()
        assert ran(reader) == 7
        # A new owner goes on where the old one stopped, and what the old one still writes does not count.
        reader.write(claim(ALL[1], 2), block(ALL[1], range(7, 19)))
        reader.ingest()
        assert ran(reader) == 7
        reader.write(block(ALL[1], range(7, 15), generation=2))
        reader.ingest()
        assert ran(reader) == 15

    def test_not_for_ever_for_one_of_which_nothing_is_heard(self) -> None:
        reader = Reader(now_us=0)
        reader.write(claim(ALL[0]), claim(ALL[1]))
        for second in range(0, 2 * BEHIND_RELEASE_US // S, 5):
            reader.now_us = second * S
            reader.write(block(ALL[0], range(second, second + 5)))
            reader.ingest()
            reader.advance()
            if second * S < BEHIND_RELEASE_US:
                assert reader.pipeline.ran is None
        assert reader.pipeline.ran is not None

    def test_for_one_that_brings_nothing_as_long_as_its_owner_does_not_release_it(self) -> None:
        reader = Reader(now_us=0)
        reader.write(claim(ALL[0]), claim(ALL[1]), block(ALL[0], range(20)), block(ALL[1], range(7)))
        reader.ingest()
        assert ran(reader) == 7
        reader.now_us = 10 * IDLE_RELEASE_US
        reader.write(block(ALL[0], range(20, 30)))
        reader.ingest()
        assert ran(reader) == 7
        reader.write(Block(ALL[1], 1, Standing(7, 7, (T0 + 7) * S, (T0 + 6) * S, is_held=False)))
        reader.ingest()
        assert ran(reader) == 30


class TestWhatComesBehindTheTicks:
    def test_is_dropped_and_counted(self) -> None:
        reader = Reader()
        reader.write(claim(ALL[0]), claim(ALL[1]), block(ALL[0], range(20)), block(ALL[1], range(5), is_held=False))
        reader.ingest()
        assert ran(reader) == 20
        reader.write(block(ALL[1], range(16, 24)), block(ALL[0], range(20, 24)))
        late = [each.late for each in reader.ingest()]
        assert late == [4, 0]
        assert ran(reader) == 24
        seconds = reader.pipeline.checkpoint().appends["treasury_seconds"]
        of_late = seconds.filter(pl.col("partition") == ALL[1])["second"]
        assert sorted(of_late) == [T0 + second for second in [*range(5), *range(20, 24)]]

    def test_seconds_that_an_owner_sealed_again_count_once(self) -> None:
        reader = Reader()
        reader.write(claim(ALL[0]), claim(ALL[1]), block(ALL[0], range(20)), block(ALL[1], range(5)))
        reader.ingest()
        reader.write(block(ALL[1], range(3, 20)))
        assert [each.late for each in reader.ingest()] == [0]
        assert ran(reader) == 20
        seconds = reader.pipeline.checkpoint().appends["treasury_seconds"]
        assert not seconds.select("second", "partition", *KINDS["treasury"].series).is_duplicated().any()
        assert seconds["quotes"].sum() == 40

    def test_what_is_no_block_is_refused_with_its_bytes(self) -> None:
        reader = Reader(bars=[b"hello"])
        [told] = reader.ingest()
        [reject] = told.rejects
        assert (reject.reason, reject.offset, reject.raw) == ("bad_block", 0, b"hello")
