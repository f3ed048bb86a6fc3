"""A reader from a position on: whatever the sizes, nothing but what stands before it is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.base import SourceError
from monitor.sources.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY = 2
"""The numbers have gaps, as those of a table's rows do."""


class Rows:
    """Rows at 1, 3, 5 ..., at most `most` a call; broken behind the last if told so."""

    def __init__(self, count: int, most: int, breaks: bool = False) -> None:
        self.rows = [(number, b"%d" % number) for number in range(1, count * EVERY, EVERY)]
        self.at, self.most, self.breaks = 0, most, breaks
        self.closed = False

    def read(self, max_records: int) -> tuple[Sequence[int], list[bytes]]:
        if self.breaks and self.at == len(self.rows):
            raise SourceError("it broke")
        some = self.rows[self.at :][: min(max_records, self.most)]
        self.at += len(some)
        return [number for number, _ in some], [payload for _, payload in some]

    @property
    def exhausted(self) -> bool:
        return not self.breaks and self.at == len(self.rows)

    def progress(self) -> tuple[int, int | None]:
        return self.at, len(self.rows)

    def close(self, timeout_seconds: float) -> None:  # noqa: ARG002 - a Reader's
        self.closed = True


def read_all(tail: Tail, size: int) -> None:
    while not tail.exhausted:
        tail.read(size)


@given(
    count=st.integers(0, 30), most=st.integers(1, 9), first=st.integers(0, 70),
    dropped=st.integers(1, 9), size=st.integers(1, 9),
)  # fmt: skip
def test_drops_what_stands_before_and_nothing_else(count: int, most: int, first: int, dropped: int, size: int) -> None:
    tail, read = Tail(Rows(count, most), first, "f.ndjson", dropped), []
    last = max((number for number, _ in Rows(count, most).rows), default=0)
    if first > last + 1:
        with pytest.raises(SourceError, match=rf"f\.ndjson.* ends at position {last}, and was read up to {first - 1}"):
            read_all(tail, size)
        assert not tail.exhausted
        return
    wanted = [row for row in Rows(count, most).rows if row[0] >= first]
    passed = count - len(wanted)
    while not tail.exhausted:
        offsets, payloads = tail.read(size)
        assert len(offsets) == len(payloads) <= size
        read += list(zip(offsets, payloads, strict=True))
        done, _ = tail.progress()
        assert done <= passed + len(read), "what is held counts as done"
    assert read == wanted
    assert tail.progress() == (count, count)


def test_an_input_that_breaks_hands_over_what_stands_before() -> None:
    tail = Tail(Rows(5, 100, breaks=True), 7, "f")
    assert tail.read(1) == ([7], [b"7"])
    assert tail.read(9) == ([9], [b"9"])
    for _ in range(2):
        with pytest.raises(SourceError, match="it broke"):
            tail.read(9)
    assert not tail.exhausted


def test_closes_the_reader() -> None:
    rows = Rows(5, 100)
    Tail(rows, 2, "f").close(1.0)
    assert rows.closed
