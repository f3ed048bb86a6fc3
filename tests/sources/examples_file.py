"""Every format that `FileSource` reads, with blocks and slices so small that each example has several."""

from __future__ import annotations

import gzip
import io
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import zstandard

from monitor.sources.file import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LINES = [
    b'{"ts":1700000000000000,"instrument":"UST-10Y","bid":99.5}',
    b"",
    b'{"ts":1700000000000001,"instrument":"UST-10Y","bid":99.5}\r',
    b"not JSON at all",
    "ümlaut ✓".encode(),
    b"\xff\xfe no UTF-8",
    b"x" * 150,
    b'{"the last line":"has no end"}',
]
CSV = b"""ts,instrument,bid,ask,on_the_run,desk\r
1700000000000000,UST-10Y,99.5,,TRUE,ours\r
1700000000000001,"UST
10Y",,99.75,0,
\r
1700000000000002,too,many,cells,in,this,row
1700000000000003,UST-2Y,1,2,perhaps,"""
CSV_EXPECTED = [
    (2, b'{"ts":"1700000000000000","instrument":"UST-10Y","bid":"99.5","on_the_run":true}'),
    (3, b'{"ts":"1700000000000001","instrument":"UST\\n10Y","ask":"99.75","on_the_run":false}'),
    (5, b"\r"),
    (6, b"1700000000000002,too,many,cells,in,this,row"),
    (7, b'{"ts":"1700000000000003","instrument":"UST-2Y","bid":"1","ask":"2","on_the_run":"perhaps"}'),
]
PACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


def _bytes_file(name: str, content: bytes, **small: Any) -> Callable[[Path], FileSource]:
    def make(folder: Path) -> FileSource:
        path = folder / name
        if not path.exists():
            path.write_bytes(content)
        return FileSource(str(path), "treasury", **small)

    return make


def _parquet_file(folder: Path) -> FileSource:
    path = folder / "treasury.parquet"
    if not path.exists():
        pl.DataFrame(
            {
                "ts": [datetime(2023, 11, 14, 22, 13, 20, i, tzinfo=UTC) for i in range(40)],
                "instrument": ["UST-10Y"] * 40,
                "bid": [None if i % 3 else i / 7 for i in range(40)],
            }
        ).write_parquet(path, row_group_size=9)
    return FileSource(str(path), "treasury", rows_a_slice=7)


def _parquet_row(i: int) -> bytes:
    bid = "" if i % 3 else f',"bid":"{i / 7}"'
    return f'{{"ts":{1_700_000_000_000_000 + i},"instrument":"UST-10Y"{bid}}}'.encode()


@contextmanager
def _silent() -> Iterator[FileSource]:
    reading, writing = os.pipe()
    with open(reading, "rb") as stdin, open(writing, "wb"):  # noqa: PTH123 - descriptors, not paths
        yield FileSource("-", "repo", stdin=stdin)


def register(add: Any) -> None:
    numbered = list(enumerate(LINES, start=1))
    for packing, pack in PACK.items():
        add(
            FileSource,
            f"ndjson{packing}",
            make=_bytes_file(f"treasury.ndjson{packing}", pack(b"\n".join(LINES)), block_bytes=13),
            expected=[numbered],
            missing=lambda folder, p=packing: FileSource(str(folder / f"none.jsonl{p}"), "treasury"),
        )
        add(
            FileSource,
            f"csv{packing}",
            make=_bytes_file(f"treasury.csv{packing}", pack(CSV), block_bytes=13),
            expected=[CSV_EXPECTED],
            missing=lambda folder, p=packing: FileSource(str(folder / f"none.csv{p}"), "treasury"),
        )
    add(
        FileSource,
        "long-lines",
        make=_bytes_file("long.ndjson", b"\n".join(LINES) + b"\n", block_bytes=13, max_line_bytes=30),
        expected=[[(number, line[:31]) for number, line in numbered]],
    )
    add(FileSource, "empty", make=_bytes_file("empty.ndjson", b""), expected=[[]])
    add(
        FileSource,
        "parquet",
        make=_parquet_file,
        expected=[[(i + 1, _parquet_row(i)) for i in range(40)]],
        missing=lambda folder: FileSource(str(folder / "none.parquet"), "treasury"),
    )
    add(
        FileSource,
        "stdin",
        make=lambda _: FileSource("-", "repo", stdin=io.BytesIO(b"\n".join(LINES)), block_bytes=13),
        expected=[numbered],
        silent=_silent,
        rereadable=False,
    )
