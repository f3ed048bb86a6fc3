"""Claims and blocks as bytes, and which of them count."""

from __future__ import annotations

import zlib
from random import Random

import msgspec
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor.engine.block import VERSION, Block, BlockError, Claim, Fence, Standing, decode, encode
from monitor.engine.watermark import NEVER_US
from tests.engine.test_partition import random_log
from tests.stages.test_owned import lived

SEEDS = st.integers(0, 2**32)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
NAMES = st.sampled_from(["treasury.quotes/0", "treasury.quotes/1", "repo.rates/0", "ünïcode/7", ""])
STANDINGS = st.builds(
    Standing, INTEGERS, INTEGERS, INTEGERS | st.just(NEVER_US), st.none() | INTEGERS, st.booleans(), st.booleans()
)
CLAIMS = st.builds(Claim, NAMES, st.text(max_size=9), st.integers(0, 99), st.text(max_size=9), st.tuples(NAMES, NAMES))
FRAMES = st.builds(
    lambda offsets, ids: pl.DataFrame(
        {"id": ids[: len(offsets)] + [None] * (len(offsets) - len(ids)), "offset": offsets},
        schema={"id": pl.String(), "offset": pl.Int64()},
    ),
    st.lists(INTEGERS, min_size=1, max_size=5),
    st.lists(st.none() | st.text(max_size=3), max_size=5),
)
BY_STREAM = st.dictionaries(st.sampled_from(["treasury", "repo", "cds"]), FRAMES, max_size=3)
BLOCKS = st.builds(
    Block, NAMES, st.integers(0, 99), STANDINGS, BY_STREAM, BY_STREAM, BY_STREAM, BY_STREAM,
    st.dictionaries(st.sampled_from(["repo", "cds"]), st.integers(0, 2**62), max_size=2),
)  # fmt: skip


def assert_same(found: Block, expected: Block) -> None:
    for name in ("partition", "generation", "standing", "suspects"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("bars", "prints", "attributes", "ids"):
        ours, theirs = getattr(found, name), {k: v for k, v in getattr(expected, name).items() if v.height}
        assert ours.keys() == theirs.keys()
        for stream, frame in theirs.items():
            assert_frame_equal(ours[stream], frame, check_exact=True)


class TestBytes:
    @settings(deadline=None, max_examples=50)
    @given(BLOCKS)
    @example(Block("p/0", 3, Standing()))
    def test_a_block_comes_back_as_it_was(self, block: Block) -> None:
        found = decode(encode(block))
        assert isinstance(found, Block)
        assert_same(found, block)

    @settings(deadline=None, max_examples=15)
    @given(SEEDS)
    def test_so_do_blocks_with_the_bars_and_prints_of_all_streams(self, seed: int) -> None:
        random = Random(seed)
        for block in lived(random_log(random, 60), random, 0):
            found = decode(encode(block))
            assert isinstance(found, Block)
            assert_same(found, block)

    @given(CLAIMS)
    def test_a_claim_comes_back_as_it_was(self, claim: Claim) -> None:
        assert decode(encode(claim)) == claim

    @settings(deadline=None, max_examples=100)
    @given(BLOCKS | CLAIMS, st.data())
    def test_damaged_bytes_are_refused_with_a_sentence(self, each: Block | Claim, data: st.DataObject) -> None:
        raw = bytearray(encode(each))
        at = data.draw(st.integers(0, len(raw) - 1), label="at")
        if data.draw(st.booleans(), label="cut"):
            raw = raw[:at]
        else:
            raw[at] ^= data.draw(st.integers(1, 255), label="flipped")
        with pytest.raises(BlockError, match="does another program write to this topic"):
            decode(bytes(raw))

    @given(st.binary(max_size=60))
    def test_so_are_bytes_of_others(self, raw: bytes) -> None:
        with pytest.raises(BlockError, match="no block of bars"):
            decode(raw)

    @pytest.mark.parametrize(
        ("wire", "why"),
        [
            ([VERSION + 1], f"format version {VERSION + 1}, and this release reads only {VERSION}"),
            ([VERSION], "does not say how its partition stands"),
            ([VERSION, None, "p/0", 1, {"next_position": 1}], "cannot be read"),
            ([VERSION, None, "p/0", 1, {"next_position": 1}, [{"repo": b"ARROW"}, {}, {}, {}]], "cannot be read"),
            ({"a": 1}, "cannot be read"),
        ],
    )
    def test_what_has_the_check_sum_and_is_none_is_refused(self, wire: object, why: str) -> None:
        body = msgspec.msgpack.encode(wire)
        with pytest.raises(BlockError, match=why):
            decode(zlib.crc32(body).to_bytes(4, "big") + body)


EACH = st.builds(
    lambda partition, generation, is_claim, token: (
        Claim(partition, "group", generation, token) if is_claim else Block(partition, generation, Standing())
    ),
    st.sampled_from(["a/0", "a/1"]), st.integers(0, 4), st.booleans(), st.sampled_from(["x", "y"]),
)  # fmt: skip


class TestFence:
    @given(st.lists(EACH, max_size=30))
    def test_what_counts_is_of_the_newest_generation_so_far(self, log: list[Claim | Block]) -> None:
        fence = Fence()
        for at, each in enumerate(log):
            before = [other.generation for other in log[:at] if other.partition == each.partition]
            newest = max(before, default=-1)
            expected = each.generation > newest if isinstance(each, Claim) else each.generation >= newest
            assert fence.counts(each) == expected

    @given(st.permutations(range(5)), st.data())
    def test_of_owners_that_write_at_once_each_counts_until_the_next_claims(
        self, tokens: list[int], data: st.DataObject
    ) -> None:
        """Each owner claims, writes and does not know that it is none any more; their messages mix in any way."""
        waiting: dict[int, list[Claim | Block]] = {}
        for generation, token in enumerate(tokens):
            blocks = [Block("a/0", generation, Standing(n)) for n in range(4)]
            waiting[generation] = [Claim("a/0", "g", generation, str(token)), *blocks]
        fence = Fence()
        newest = -1
        while waiting:
            generation = data.draw(st.sampled_from(sorted(waiting)), label="who")
            each = waiting[generation].pop(0)
            if not waiting[generation]:
                del waiting[generation]
            counts = fence.counts(each)
            if isinstance(each, Claim):
                assert counts == (generation > newest)
                newest = max(newest, generation)
            else:
                assert counts == (generation == newest)
        assert fence.generations == {"a/0": newest}

    @given(st.lists(EACH, max_size=30), st.integers(0, 30))
    def test_one_that_goes_on_from_what_another_knew_says_the_same(self, log: list[Claim | Block], cut: int) -> None:
        whole, first = Fence(), Fence()
        expected = [whole.counts(each) for each in log]
        found = [first.counts(each) for each in log[:cut]]
        second = Fence(first.generations)
        assert found + [second.counts(each) for each in log[cut:]] == expected
