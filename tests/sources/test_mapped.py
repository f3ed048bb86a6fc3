"""A mapping over a source: positions, what was refused with what came, and sources of other manners."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.decode import UNKNOWN_STREAM, Decoder
from monitor.engine.partition import NO_TICK, Partition
from monitor.intake import Intake
from monitor.mapping import DropRule, FieldRule, Mapper, Shape, StreamRule
from monitor.sources import mapped
from monitor.sources.base import LINES_A_MESSAGE, Mark, PartitionState, RawBatch, Source
from monitor.sources.mapped import MappedSource
from monitor.streams import Reason

US = 1_700_000_000_000_000
FIELDS = {"ts": FieldRule(paths=("$.t",)), "instrument": FieldRule(paths=("i",)), "rate": FieldRule(paths=("r",))}
DROP = (DropRule(path="i", among=("no",)),)
MAPPER = Mapper(Shape(stream="repo", fields=FIELDS, events="q", drop=DROP))


def message(*names: str, rate: object = 1) -> bytes:
    return json.dumps({"t": US, "q": [{"i": name, "r": rate} for name in names]}).encode()


class Made(Source):
    """Hands over batches as they are given, and notes what it is told."""

    name = "made"

    def __init__(self, *batches: RawBatch, can_read_again: bool = True) -> None:
        self.batches, self.can_read_again = list(batches), can_read_again
        self.opened: Mapping[str, int] = {}
        self.kept: Mapping[str, Mark] = {}
        self.stands: dict[str, PartitionState] = {}

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        self.opened = dict(resume or {})

    def poll(self, max_records: int) -> RawBatch | None:
        if not self.batches:
            return None
        batch = self.batches.pop(0)
        if len(batch) > max_records:
            self.batches.insert(0, batch.part(max_records, len(batch)))
            batch = batch.part(0, max_records)
        return batch

    @property
    def exhausted(self) -> bool:
        return not self.batches

    def partitions(self) -> Mapping[str, PartitionState]:
        return self.stands

    def keep(self, marks: Mapping[str, Mark]) -> None:
        self.kept = marks

    def counts(self) -> Mapping[str, int]:
        return {"frames": 7}

    def lag(self) -> int | None:
        return None

    def progress(self) -> tuple[int, int | None]:
        return 0, None

    def close(self, timeout_seconds: float) -> None:
        pass


def in_messages(*messages: Sequence[bytes], first: int = 0, partition: str = "t/0") -> RawBatch:
    rows = [
        ((first + at) * LINES_A_MESSAGE + n, line) for at, some in enumerate(messages) for n, line in enumerate(some)
    ]
    return RawBatch("made", None, partition, [at for at, _ in rows], [line for _, line in rows], of_messages=True)


def all_of(source: Source, size: int = 1000) -> list[tuple[str, int, bytes]]:
    rows = []
    while not source.exhausted:
        batch = source.poll(size)
        if batch is not None:
            rows += [(batch.partition, *row) for row in zip(batch.offsets, batch.payloads, strict=True)]
    return rows


def mapped_source(inner: Source, mapper: Mapper = MAPPER) -> MappedSource:
    source = MappedSource(inner, mapper, of_messages=True)
    source.open()
    return source


NAMES = st.lists(st.sampled_from(["a", "b", "no"]), max_size=4)
LINES = st.one_of(NAMES.map(lambda names: message(*names)), st.sampled_from([b"", b"not JSON", b'{"t":1}']))


@settings(deadline=None)
@given(st.lists(st.lists(LINES, min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_no_cut_of_the_input_or_of_the_output_changes_a_position(
    messages: list[list[bytes]], data: st.DataObject
) -> None:
    whole = in_messages(*messages)
    wanted = all_of(mapped_source(Made(whole)))
    cuts = sorted({0, len(whole), *data.draw(st.lists(st.integers(0, len(whole)), max_size=4))})
    parts = [whole.part(a, b) for a, b in itertools.pairwise(cuts)]
    assert all_of(mapped_source(Made(*parts)), data.draw(st.integers(1, 5))) == wanted


def test_partitions_are_numbered_by_themselves() -> None:
    batches = [in_messages([message("a")], [message("b", "c")], partition=name) for name in ("t/0", "t/1", "t/0")]
    source = mapped_source(Made(batches[0].part(0, 1), batches[1], batches[2].part(1, 2)))
    places = [0, LINES_A_MESSAGE, LINES_A_MESSAGE + 1]
    assert [(name, at) for name, at, _ in all_of(source)] == [
        ("t/0", 0), *(("t/1", at) for at in places), *(("t/0", at) for at in places[1:]),
    ]  # fmt: skip


def test_what_came_is_kept_beside_what_it_became() -> None:
    first, second = message("a", "no", "b"), b'{"t":1}'
    batch = RawBatch("made", None, "t/0", [0, LINES_A_MESSAGE], [first, second], [5, 6], of_messages=True, generation=3)
    got = mapped_source(Made(batch)).poll(10)
    assert got is not None
    assert got.originals == [first, first, second]
    assert got.payloads[2] == second
    assert got.refused == {2: "events: q is not there"}
    assert (got.arrived_us, got.generation, got.stream, got.of_messages) == ([5, 5, 6], 3, "repo", True)
    assert got.place(got.offsets[1]) == (0, 2)


def test_what_is_dropped_is_counted_and_takes_no_position() -> None:
    source = mapped_source(Made(in_messages([message("no", "a", "no")], [message("no")])))
    assert source.counts() == {"frames": 7, "dropped": 0}
    assert [at for _, at, _ in all_of(source)] == [0]
    assert source.counts() == {"frames": 7, "dropped": 3}


def test_a_source_that_cannot_be_read_again_counts_on_by_itself() -> None:
    inner = Made(in_messages([message("a", "b")], first=8), can_read_again=False)
    source = MappedSource(inner, MAPPER, of_messages=True)
    source.open({"t/0": 7 * LINES_A_MESSAGE + 5})
    assert inner.opened == {"t/0": 7 * LINES_A_MESSAGE + 5}, "the source itself begins at the next whole message"
    assert not source.can_read_again
    assert [at for _, at, _ in all_of(source)] == [8 * LINES_A_MESSAGE, 8 * LINES_A_MESSAGE + 1]


def test_a_message_that_was_handed_over_in_part_is_read_again_from_its_beginning() -> None:
    inner = Made(in_messages([message("a", "b", "c")], [message("d")]))
    source = MappedSource(inner, MAPPER, of_messages=True)
    source.open({"t/0": 2, "other": 5 * LINES_A_MESSAGE + 1})
    assert inner.opened == {"t/0": 0, "other": 5 * LINES_A_MESSAGE}
    assert [at for _, at, _ in all_of(source)] == [2, LINES_A_MESSAGE]


def test_how_a_partition_stands_is_told_by_the_positions_of_events() -> None:
    inner = Made(in_messages([message("no"), message("a", "b", "c"), message("no")], [message("no")]))
    source = mapped_source(inner)

    def stands(position: int, *, behind: bool) -> tuple[int, int, bool]:
        inner.stands = {"t/0": PartitionState(position, position // LINES_A_MESSAGE, 2, is_behind=behind)}
        told = source.partitions()["t/0"]
        return told.position, told.offset, told.is_behind

    assert stands(0, behind=True) == (0, 0, True)
    batch = source.poll(2)  # the first line is dropped, and the second read
    assert batch is not None
    assert stands(2, behind=False) == (2, 0, True), "of the second line something waits here"
    rest = source.poll(1)
    assert rest is not None
    assert list(rest.offsets) == [2]
    assert stands(2, behind=True) == (3, 0, True), "the first line was dropped, and took no position"
    assert all_of(source) == []
    assert stands(2 * LINES_A_MESSAGE, behind=False) == (2 * LINES_A_MESSAGE, 2, False)


def test_marks_are_passed_on_at_the_beginning_of_their_message() -> None:
    inner = Made()
    mark = Mark(5 * LINES_A_MESSAGE + 3, 17, "note")
    mapped_source(inner).keep({"t/0": mark})
    assert inner.kept == {"t/0": Mark(5 * LINES_A_MESSAGE, 17, "note")}
    MappedSource(inner, MAPPER, of_messages=False).keep({"t/0": mark})
    assert inner.kept == {"t/0": Mark(5, 17, "note")}


def test_a_message_of_too_many_events_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "_LAST", 2)
    source = mapped_source(Made(in_messages([message(*"abcdef"), message("g")], [message("h")])))
    batch = source.poll(10)
    assert batch is not None
    assert list(batch.offsets) == [0, 1, 2, LINES_A_MESSAGE]
    assert batch.refused == {2: mapped._TOO_MANY}
    assert batch.payloads[2] == message(*"abcdef")


def test_what_breaks_the_contract_is_kept_as_it_came() -> None:
    raw = message("a", "b", rate=99)
    batch = mapped_source(Made(in_messages([raw], [b"\xff"], [b'{"t":1}'], [message("c")]))).poll(10)
    assert batch is not None
    [decoded] = Decoder().decode(batch)
    assert decoded.events["instrument"].to_list() == ["c"]
    assert [(each.reason, each.offset // LINES_A_MESSAGE, each.raw) for each in decoded.rejects] == [
        (Reason.OUT_OF_RANGE, 0, raw), (Reason.OUT_OF_RANGE, 0, raw), (Reason.NOT_UTF8, 1, b"\xff"),
        (Reason.NOT_MAPPED, 2, b'{"t":1}'),
    ]  # fmt: skip


def test_where_the_stream_is_chosen_what_is_refused_is_of_none() -> None:
    by = StreamRule(path="$.k", values={"R": "repo"})
    source = mapped_source(Made(in_messages([message("a")], [b'{"k":"R","t":1,"i":"b","r":5}'])),
                           Mapper(Shape(stream=by, fields=FIELDS)))  # fmt: skip
    batch = source.poll(10)
    assert batch is not None
    decoded = {each.stream: each for each in Decoder().decode(batch)}
    assert batch.stream is None
    [refused] = decoded[UNKNOWN_STREAM].rejects
    assert (refused.reason, refused.raw) == (Reason.NOT_MAPPED, message("a"))
    assert refused.detail == "stream_by $.k: it is missing"


@pytest.mark.parametrize("seen", range(5))
def test_of_a_batch_that_came_before_only_what_is_new_is_refused(seen: int) -> None:
    batch = mapped_source(Made(in_messages([message("a")], [b"{}"], [b"["], [message("d", rate=99)]))).poll(10)
    assert batch is not None
    partition = Partition("t/0", 0)
    partition.next_position = partition._read_again_from = seen * LINES_A_MESSAGE
    told = Intake().take_in(batch, partition, lambda parts: partition.push(parts, NO_TICK))
    rejects = [each.raw for some in told for each in some.rejects]
    assert rejects == [b"{}", b"[", message("d", rate=99)][max(0, seen - 1) :]
    assert sum(each.events for each in told) == (seen == 0)
