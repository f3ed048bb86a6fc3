"""CSV: every cell goes on as it is, every row at its line, and what is no row goes on as its text."""

from __future__ import annotations

import csv
import io
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.sources.blocks import Blocks
from monitor.sources.csv_rows import CsvRows
from monitor.sources.file import FileSource
from monitor.sources.lines import LineReader
from monitor.streams import CDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from monitor.sources.base import Source

    Opened = Callable[[Source], AbstractContextManager[Source]]
    Positioned = list[tuple[int, bytes]]
    ReadAll = Callable[..., list[tuple[int, bytes]]]
    Rows = Callable[..., list[tuple[int, bytes]]]


LIMIT = 400
HEADER = ["ts", "entity", "tenor_years", "bid", "note", "themes", "index"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, read_all: ReadAll) -> Rows:
    """Reads CSV text or bytes as rows of a stream, with blocks of a few bytes."""
    folder = tmp_path_factory.mktemp("csv")

    def read(content: str | bytes, stream: str = "cds", sizes: Sequence[int] = (1000,), **small: Any) -> Positioned:
        path = folder / f"{stream}.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_all(FileSource(str(path), stream, **{"block_bytes": 11, **small}), sizes)

    return read


def test_cells_become_members_and_empty_cells_none(rows: Rows) -> None:
    content = "ts,entity,bid,ask,notional\n2024-01-02T15:00:00Z,ACME,100.10,,1e3\n1700000000000000,é✓,,7,\n"
    assert rows(content) == [
        (2, b'{"ts":"2024-01-02T15:00:00Z","entity":"ACME","bid":"100.10","notional":"1e3"}'),
        (3, '{"ts":"1700000000000000","entity":"é✓","ask":"7"}'.encode()),
    ]


def test_unknown_columns_are_left_out_and_columns_may_stand_in_any_order(rows: Rows) -> None:
    content = 'desk,mid,desk,entity,ts\n"with ""quotes"", and\ncomma",5,x,ACME,1\n,6,,B,2\n'
    assert rows(content) == [
        (2, b'{"mid":"5","entity":"ACME","ts":"1"}'),
        (4, b'{"mid":"6","entity":"B","ts":"2"}'),
    ]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("true", True), ("FALSE", False), ("True", True), ("1", True), ("0", False),
        ("yes", "yes"), ("2", "2"), ("truee", "truee"),
    ],
)  # fmt: skip
def test_flags(rows: Rows, cell: str, value: Any) -> None:
    [(_, payload)] = rows(f"ts,entity,mid,index\n1,A,5,{cell}\n")
    assert json.loads(payload)["index"] is value or json.loads(payload)["index"] == value
    assert type(json.loads(payload)["index"]) is type(value)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("ai", ["ai"]), ("ai;cloud", ["ai", "cloud"]), (" ai ; cloud;", ["ai", "cloud"]), (";", []),
        ('"[""ai"",""c;d""]"', ["ai", "c;d"]), ("[]", []), ("[ai]", "[ai]"), ("[1]", "[1]"),
    ],
)  # fmt: skip
def test_lists(rows: Rows, cell: str, value: Any) -> None:
    [(_, payload)] = rows(f"ts,entity,mid,themes\n1,A,5,{cell}\n")
    assert json.loads(payload)["themes"] == value


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfts,entity,mid\n1,A,5\n",  # a byte order mark
        b"ts,entity,mid\r\n1,A,5\r\n",
        b"ts,entity,mid\n1,A,5",  # no end of the last line
        b'"ts","entity","mid"\n"1","A","5"\n',
        b"ts, entity, mid\n1, A, 5\n",  # spaces behind the commas
        b"ts ,entity , mid\n1,A,5\n",
    ],
)
def test_ways_to_write_the_same(rows: Rows, content: bytes) -> None:
    assert rows(content) == [(2, b'{"ts":"1","entity":"A","mid":"5"}')]


def test_rows_that_do_not_fit_the_header_go_on_as_their_text(rows: Rows) -> None:
    content = "ts,entity,mid\n1,A,5,6\n\n2,B\n  \n3,C,7\n"
    assert rows(content) == [
        (2, b"1,A,5,6"),
        (3, b""),
        (4, b"2,B"),
        (5, b"  "),
        (6, b'{"ts":"3","entity":"C","mid":"7"}'),
    ]


def test_a_stray_quote_costs_one_line(rows: Rows) -> None:
    content = 'ts,entity,mid\n1,"A,5\n2,B,6\n3,"C"x,7\n4,D,8\n5,"E,9\n'
    good = b'{"ts":"%d","entity":"%c","mid":"%d"}'
    wanted = [
        (2, b'1,"A,5'),
        (3, good % (2, b"B", 6)),
        (4, b'3,"C"x,7'),
        (5, good % (4, b"D", 8)),
        (6, b'5,"E,9'),
    ]
    for sizes in ((1,), (2,), (1000,)):
        assert rows(content, sizes=sizes) == wanted


def test_what_is_no_utf8_goes_on_as_its_text_unless_it_is_left_out(rows: Rows) -> None:
    content = b"ts,entity,mid,themes,desk\n1,M\xfcller,5,,\n2,A,5,[\xff],\n3,A,5,a,M\xfcller\n"
    assert rows(content) == [
        (2, b"1,M\xfcller,5,,"),
        (3, b"2,A,5,[\xff],"),
        (4, b'{"ts":"3","entity":"A","mid":"5","themes":["a"]}'),
    ]


def test_rows_that_are_too_long_are_cut_after_one_byte_more(rows: Rows) -> None:
    pad = "x" * LIMIT
    content = f'ts,entity,mid,desk\n1,A,5,{pad}\n2,A,5,"{pad}\n{pad}"\n3,A,5,"{pad[:300]}\n{pad[:300]}"\n4,A,5,\n'
    for sizes in ((1,), (1000,)):
        read = rows(content, sizes=sizes, max_line_bytes=LIMIT)
        assert [number for number, _ in read] == [2, 3, 4, 5, 6, 7]
        assert [len(payload) for _, payload in read[:3]] == [LIMIT + 1, LIMIT + 1, LIMIT + 1]
        assert [payload[:8] for _, payload in read] == [
            b"1,A,5,xx", b'2,A,5,"x', b"xxxxxxxx", b'3,A,5,"x', b"xxxxxxxx", b'{"ts":"4',
        ]  # fmt: skip


def test_an_object_that_became_too_long_is_cut(rows: Rows) -> None:
    [(_, payload)] = rows("ts,entity,mid\n1," + "\x01" * 300 + ",5\n", max_line_bytes=LIMIT)
    assert payload.startswith(b'{"ts":"1","entity":"\\u0001\\u0001')
    assert len(payload) == LIMIT + 1


def test_a_row_without_end_is_given_up_before_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cds.csv"
    path.write_bytes(b"ts,entity,mid\n" + b'"x\n",' * 1_000)
    rows = CsvRows(str(path), LineReader(Blocks(str(path), "", 11), 30), CDS, 30, lines_a_pull=1)
    read: list[bytes] = []
    while not read:
        _, read = rows.read(1)
    assert read == [b'"x']
    assert rows.progress()[0] < 200
    rows.close(1.0)


def test_progress_does_not_run_ahead_of_what_was_handed_over(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "cds.csv"
    path.write_bytes(b"ts,entity,mid\n" + b"1,A,5\n" * 3_000)
    source = FileSource(str(path), "cds", block_bytes=100)
    handed = 0
    with opened(source):
        while handed < 3_000:
            assert source.lag() != 0
            batch = source.poll(7)
            handed += len(batch) if batch else 0
            assert source.progress()[0] <= 14 + 6 * handed
        assert source.lag() == 0


def test_a_quoted_row_longer_than_allowed_does_not_swallow_the_file(rows: Rows) -> None:
    content = 'ts,entity,mid\n1,"A,5\n' + "".join(f"{i},B,5\n" for i in range(2, 200))
    read = rows(content, max_line_bytes=LIMIT)
    assert [number for number, _ in read] == list(range(2, 201))
    assert read[0][1] == b'1,"A,5'
    assert all(json.loads(payload)["entity"] == "B" for _, payload in read[1:])


cells = st.text(st.sampled_from('a7é,";\n [] {}:\\'), max_size=6)


@settings(deadline=None)
@given(st.data())
def test_whatever_the_cells_the_rows_are_those_that_were_written(rows: Rows, data: Any) -> None:
    table = data.draw(st.lists(st.lists(cells, min_size=len(HEADER), max_size=len(HEADER)), max_size=12))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    wanted, line = [], 2
    for row in table:
        before = out.tell()
        writer.writerow(row)
        out.seek(before)
        lines = out.read().count("\n")
        # A space behind a comma is not the cell's, unless it is quoted.
        read = next(csv.reader(io.StringIO(out.getvalue()[before:], newline=""), skipinitialspace=True))
        members = {n: c for n, c in zip(HEADER, read, strict=True) if c and n not in ("note", "themes", "index")}
        wanted.append((line, members))
        line += lines
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    got = [(number, json.loads(payload)) for number, payload in rows(out.getvalue(), sizes=sizes)]
    assert [(n, {k: v for k, v in e.items() if k not in ("themes", "index")}) for n, e in got] == wanted


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b'"', b"\n", b",", b"1,A,5", b"\n2,B,6\n", b"x" * 15, b"\r", b"\xff"]), max_size=40),
    st.integers(1, 5),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
)
def test_how_much_of_the_file_is_there_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], pull: int, sizes: Sequence[int]
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    path = folder / "cds.csv"
    path.write_bytes(b"ts,entity,mid\n" + b"".join(parts))

    def read(pull: int, sizes: Sequence[int]) -> Positioned:
        rows = CsvRows(str(path), LineReader(Blocks(str(path), "", 11), 30), CDS, 30, lines_a_pull=pull)
        found = []
        for size in itertools.cycle(sizes):
            if rows.exhausted:
                break
            found += list(zip(*rows.read(size), strict=True))
        rows.close(1.0)
        return found

    assert read(pull, sizes) == read(1_000, (1_000,))


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_whatever_the_bytes_every_line_is_in_exactly_one_row(rows: Rows, body: bytes, sizes: Sequence[int]) -> None:
    read = rows(b"ts,entity,mid\n" + body, sizes=sizes)
    numbers = [number for number, _ in read]
    assert numbers == sorted(set(numbers))
    assert rows(b"ts,entity,mid\n" + body) == read
    lines = body.split(b"\n")
    count = len(lines) - (not lines[-1])
    if count:
        assert numbers[0] == 2
        assert numbers[-1] <= count + 1
    else:
        assert numbers == []


def test_a_header_alone_has_no_rows(rows: Rows) -> None:
    assert rows("ts,entity,mid\n") == []
