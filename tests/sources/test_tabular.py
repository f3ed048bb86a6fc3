"""Columns against the contract: what a table lacks is told before its first row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.sources.base import SourceError
from monitor.sources.file import FileSource
from monitor.sources.tabular import check_columns, wanted_columns
from monitor.streams import STREAMS, Stream

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty; a table of cds needs the columns ts, entity, at least one of bid, ask, mid"),
        (b"\n1,A,5\n", "no column ts, entity, one of bid, ask, mid, but nothing"),
        (b"ts,entity\n1,A\n", "no column one of bid, ask, mid, but ts, entity"),
        (b"ts;entity;mid\n1;A;5\n", "no column ts, entity, one of bid, ask, mid, but ts;entity;mid"),
        (b"1700000000000000,A,5\n", "no column ts, entity"),
        (b"TS,Entity,Mid\n", "no column ts, entity, one of bid, ask, mid, but TS, Entity, Mid"),
        (b"ts,entity,mid,bid,mid\n", "the column mid stands there twice"),
        (b"ts,entity,mid,\xff\n", "no UTF-8"),
        ("ts,entity,mid\n".encode("utf-16"), "no UTF-8"),
        (b'ts,entity,"mid\n1,A,5\n', "its first line cannot be read"),
        (b"ts,entity,mid\r1,A,5\r", "its first line cannot be read"),
        (b"ts," + b"x" * 500, "xxx \\.\\.\\.;"),
    ],
)
def test_a_table_that_lacks_what_it_needs_is_refused_when_opened(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "cds.csv"
    path.write_bytes(content)
    source = FileSource(str(path), "cds")
    with pytest.raises(SourceError, match=told) as error:
        source.open()
    assert str(error.value).startswith(f"{path}: ")
    source.close(1.0)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=lambda s: s.name)
def test_every_streams_own_fields_are_enough(stream: Stream) -> None:
    names = [field.name for field in stream.fields]
    check_columns("table", names, stream)
    check_columns("table", [*names, "desk", "desk"], stream)
    told = wanted_columns(stream).replace(",", " ").replace(";", " ").split()
    assert all(name in told for name in names)
