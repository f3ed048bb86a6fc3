"""A partition that goes from owner to owner: together they write down what one owner would have written."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.bars import KINDS
from monitor.engine.block import Block, Standing, decode, encode
from monitor.engine.owned import Owned
from monitor.engine.watermark import NEVER_US
from tests.engine.plain_quotes import Record, Row, decoded
from tests.engine.test_partition import Plain, counts, random_log

NAME = "treasury.quotes/0"
SEEDS = st.integers(0, 2**32)


def push(owned: Owned, some: list[Record]) -> None:
    """As the intake does it: of what is read again only quotes and trades."""
    again, new = owned.partition.split([r["offset"] for r in some])
    if again.stop > again.start:
        owned.push(decoded([r for r in some[again] if counts(r)], NAME))
    if new.stop > new.start:
        owned.push(decoded(some[new], NAME))


def written(block: Block | None) -> Block:
    """The block as it is read again."""
    assert block is not None
    found = decode(encode(block))
    assert isinstance(found, Block)
    return found


def successor(blocks: list[Block], generation: int) -> Owned:
    owned = Owned(NAME, generation)
    owned.restore(blocks)
    return owned


def unread(log: list[Record], owned: Owned) -> list[Record]:
    """What the next owner's source gives: the log from the oldest open position."""
    return [r for r in log if r["offset"] >= owned.standing.oldest_open]


def lived(log: list[Record], random: Random, owners: int, *, whole: bool = True) -> list[Block]:
    """The blocks that owners wrote, each cut off at any moment; what it had not written is lost with it.

    Args:
        log: of the partition.
        random: draws how it is cut.
        owners: how many there are before the last.
        whole: whether the last owner reads to the end, and is released.
    """
    blocks: list[Block] = []
    for generation in range(owners + 1):
        is_last = whole and generation == owners
        owned = successor(blocks, generation)
        rest = unread(log, owned)
        ends = len(rest) if is_last else random.randint(0, len(rest))
        at = 0
        while at < ends:
            upto = min(ends, at + random.randint(1, 8))
            push(owned, rest[at:upto])
            at = upto
            if random.random() < 0.4 and (block := owned.take_block()) is not None:
                blocks.append(written(block))
        if is_last:
            owned.release()
            if (block := owned.take_block()) is not None:
                blocks.append(written(block))
    return blocks


def bars_of(blocks: list[Block], stream: str) -> list[Row]:
    shape = KINDS[stream].seconds
    frame = pl.concat([pl.DataFrame(schema=shape), *(b.bars[stream] for b in blocks if stream in b.bars)])
    names = [n for n in ("second", "partition", *KINDS[stream].series, "segment", "rate_e6") if n in shape]
    assert not frame.select(names).is_duplicated().any(), "each second once"
    return frame.sort(names).to_dicts()


def check(log: list[Record], blocks: list[Block]) -> None:
    """Every quote and trade is in the bars once, every print is there once, where it stood."""
    plain = Plain().read(log)
    for stream in KINDS:
        expected = [row | ({"partition": NAME} if "partition" in row else {}) for row in plain.bars(stream)]
        assert bars_of(blocks, stream) == expected, stream
    prints = [row for b in blocks for frame in b.prints.values() for row in frame.select("offset", "floor").iter_rows()]
    assert sorted(prints) == sorted(plain.floors.items())
    standings = [block.standing for block in blocks]
    for before, after in pairwise(standings):
        assert before.next_position <= after.next_position
        assert before.oldest_open <= after.oldest_open
        assert before.watermark_us <= after.watermark_us


class TestAnyNumberOfOwners:
    @settings(deadline=None, max_examples=60)
    @given(SEEDS, st.integers(0, 5))
    def test_write_what_one_would_have_written(self, seed: int, owners: int) -> None:
        random = Random(seed)
        log = random_log(random, 60)
        check(log, lived(log, random, owners))

    @pytest.mark.parametrize("seed", range(4))
    def test_cut_off_at_every_position(self, seed: int) -> None:
        log = random_log(Random(seed), 24)
        for died in range(len(log) + 1):
            first = Owned(NAME, 1)
            push(first, log[:died])
            blocks = [written(first.take_block())]
            second = successor(blocks, 2)
            push(second, unread(log, second))
            second.release()
            check(log, [*blocks, written(second.take_block())])

    @pytest.mark.parametrize("forgotten", ["oldest_open", "watermark_us", "attributes", "ids"])
    def test_each_part_of_what_is_written_is_needed(self, forgotten: str) -> None:
        wrong = 0
        for seed in range(40):
            random = Random(seed)
            log = random_log(random, 60)
            first = Owned(NAME, 1)
            push(first, log[: random.randint(1, len(log))])
            block = written(first.take_block())
            stands = block.standing
            kept = Block(
                NAME, 1,
                Standing(
                    stands.next_position,
                    stands.next_position if forgotten == "oldest_open" else stands.oldest_open,
                    NEVER_US if forgotten == "watermark_us" else stands.watermark_us,
                    stands.newest_us, stands.is_held,
                ),
                block.bars, block.prints,
                {} if forgotten == "attributes" else block.attributes,
                {} if forgotten == "ids" else block.ids,
            )  # fmt: skip
            second = successor([kept], 2)
            push(second, unread(log, second))
            second.release()
            try:
                check(log, [block, written(second.take_block())])
            except AssertionError:
                wrong += 1
        assert wrong, "nobody would miss it"


class TestTheFirstBlock:
    """Whoever reads waits for a partition that was claimed until its owner says how it stands."""

    def test_comes_of_a_partition_that_has_nothing(self) -> None:
        owned = Owned(NAME, 1)
        owned.is_behind = False
        assert written(owned.take_block()).standing == Standing()
        assert owned.take_block() is None

    @settings(deadline=None, max_examples=20)
    @given(SEEDS)
    def test_comes_where_nothing_has_changed_since_the_last_owner(self, seed: int) -> None:
        first = Owned(NAME, 1)
        push(first, random_log(Random(seed)))
        first.release()
        first.is_behind = False
        blocks = [written(first.take_block())]
        second = successor(blocks, 2)
        second.is_behind = False
        assert written(second.take_block()).standing == blocks[-1].standing
        assert second.take_block() is None

    def test_further_ones_only_when_something_has_changed(self) -> None:
        owned = Owned(NAME, 1)
        assert written(owned.take_block()).standing.is_behind
        assert owned.take_block() is None
        owned.is_behind = False
        assert not written(owned.take_block()).standing.is_behind
        push(owned, random_log(Random(3)))
        assert written(owned.take_block()).standing == owned.standing
        assert owned.take_block() is None
