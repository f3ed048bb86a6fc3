"""Events from one file, or from standard input: the format follows from the file's name.

This module chooses and opens; how each format is read stands in a module of its own. Whatever the format, a
position is where a person finds the event again: the line of a text file, the row of a Parquet file, from 1.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from monitor import streams
from monitor.sources.base import RawBatch, Source
from monitor.sources.blocks import BLOCK_BYTES, Blocks, check_is_file
from monitor.sources.csv_rows import CsvRows
from monitor.sources.errors import InputError
from monitor.sources.lines import LineReader
from monitor.sources.parquet_rows import ROWS_A_SLICE, ParquetRows
from monitor.sources.stdin import StdinLines
from monitor.sources.tail import Tail

if TYPE_CHECKING:
    import io
    from collections.abc import Mapping
    from typing import BinaryIO

    from monitor.sources.tail import Reader

STDIN = "-"
"""The path that means standard input."""

_PACKINGS = ("", ".gz", ".zst")
EXTENSIONS: dict[str, tuple[str, str]] = {
    kind + packing: (kind, packing) for kind in (".ndjson", ".jsonl", ".csv") for packing in _PACKINGS
} | {".parquet": (".parquet", "")}
"""How a file's name may end: the format, and how it is packed."""
TABLES = (".csv", ".parquet")
"""Formats of tables, whose columns are those of a contract."""
EXTENSIONS_TEXT = ".ndjson, .jsonl or .csv (each also with .gz or .zst behind), or .parquet"
"""The same for a message."""


def extension_of(path: str) -> str:
    """The key of `EXTENSIONS` that the path ends in, in lower case; empty if there is none."""
    name = os.path.basename(path).lower()  # noqa: PTH119 - the text as it stands, `-` and `~` among it
    return next((ext for ext in EXTENSIONS if name.endswith(ext)), "")


class FileSource(Source):
    """Reads NDJSON, CSV or Parquet from a file, or NDJSON from standard input.

    Positions: in NDJSON the number of the line, in CSV of the row's first line, in Parquet of the row, all from 1.
    A blank line of NDJSON or CSV is handed over as such; the end of the last line makes none. `lag` and
    `progress` count bytes as they lie on the disk, rows of a Parquet file, and of standard input the bytes read
    of an unknown total; what stands before the position that it was opened at counts as done once it was passed
    over. A file that breaks hands over what stands before, then every `poll` raises.

    Args:
        path: of the file, or `-`; as it stands here it is the `partition`.
        stream: the contract of every event; None if each object says its own in `stream` (NDJSON only).
        name: the source's name; the file's name, or `stdin`, if it is not given.
        stdin: read in place of the process's standard input.
        max_line_bytes: of a longer line or row the first `max_line_bytes + 1` bytes are handed over.
        block_bytes: how much is read at a time.
        rows_a_slice: how many rows of a Parquet file are read at a time.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        stream: str | None,
        name: str | None = None,
        *,
        stdin: BinaryIO | io.RawIOBase | None = None,
        max_line_bytes: int = streams.MAX_LINE_BYTES,
        block_bytes: int = BLOCK_BYTES,
        rows_a_slice: int = ROWS_A_SLICE,
    ) -> None:
        self.partition = os.fspath(path)
        self.stream = stream
        self.name = name or ("stdin" if self.partition == STDIN else os.path.basename(self.partition))  # noqa: PTH119
        self._stdin = stdin
        self._max_line_bytes = max_line_bytes
        self._block_bytes = block_bytes
        self._rows_a_slice = rows_a_slice
        self._reader: Reader | None = None
        self._closed = False

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Open the file, look at its beginning, and hold a table's columns against the contract.

        Args:
            resume: see `Source.open`; a file that ends before what was read of it before is refused when its
                end is reached.

        Raises:
            SourceError: it cannot be read, or standard input is to be read again, with the reason and what to do.
        """
        if self._reader is not None:
            raise RuntimeError("a FileSource is opened once")
        if self.stream is not None and self.stream not in streams.STREAMS:
            raise InputError(
                self.partition, f"{self.stream} is no stream", f"a stream is one of {', '.join(streams.STREAMS)}"
            )
        first = (resume or {}).get(self.partition, 1)
        self._reader = self._open_stdin(first) if self.partition == STDIN else self._open_file(first)

    def poll(self, max_records: int) -> RawBatch | None:
        """See `Source.poll`; a poll unpacks about 16 MiB at most, so it may also hand over less than there is."""
        if max_records < 1:
            raise ValueError("max_records must be at least 1")
        if self._reader is None or self._closed:
            raise RuntimeError("a FileSource is polled between open and close")
        offsets, payloads = self._reader.read(max_records)
        return RawBatch(self.name, self.stream, self.partition, offsets, payloads) if payloads else None

    @property
    def exhausted(self) -> bool:
        """Whether everything was handed over."""
        return self._reader is not None and self._reader.exhausted

    def lag(self) -> int | None:
        """Bytes of the file, or rows of a Parquet file, not handed over yet; None of standard input."""
        done, total = self.progress()
        return None if total is None else total - done

    def progress(self) -> tuple[int, int | None]:
        """Bytes, or rows of a Parquet file, handed over, and the total; all unknown before `open`."""
        return self._reader.progress() if self._reader is not None else (0, None)

    def close(self, timeout_seconds: float) -> None:
        """Close the file; standard input itself stays open."""
        if self._reader is not None and not self._closed:
            self._closed = True
            self._reader.close(timeout_seconds)

    def _open_stdin(self, first: int) -> Reader:
        if first > 1:
            wrong = f"it was read up to line {first - 1} before, and standard input cannot be read again"
            raise InputError(STDIN, wrong, "give the path of a file, or begin anew with a fresh --state")
        stdin = self._stdin if self._stdin is not None else getattr(sys.stdin, "buffer", None)
        if stdin is None:
            raise InputError(STDIN, "standard input is closed", "send NDJSON to it, or give the path of a file")
        return StdinLines(stdin, self._max_line_bytes, self._block_bytes)

    def _open_file(self, first: int) -> Reader:
        extension = extension_of(self.partition)
        if not extension:
            raise InputError(self.partition, "its name does not tell its format", f"it must end in {EXTENSIONS_TEXT}")
        kind, packing = EXTENSIONS[extension]
        contract = streams.STREAMS[self.stream] if self.stream is not None else None
        if contract is None and kind in TABLES:
            raise InputError(
                self.partition, "the rows of a table do not say their stream", "name the stream with the path"
            )
        check_is_file(self.partition)
        if kind == ".parquet" and contract is not None:
            return ParquetRows(self.partition, contract, self._max_line_bytes, self._rows_a_slice, first)
        reader: Reader
        reader = lines = LineReader(Blocks(self.partition, packing, self._block_bytes), self._max_line_bytes)
        if contract is not None and kind == ".csv":
            reader = CsvRows(self.partition, lines, contract, self._max_line_bytes)
        return Tail(reader, first, self.partition) if first > 1 else reader
