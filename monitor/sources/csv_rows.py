"""Rows of a CSV file as JSON objects, for the same strict decoder that reads NDJSON.

A cell stays the text that it is: numbers go on as decimal strings, so no digit is lost or made up here. A row that
does not fit the header, or that the csv module cannot read, is handed over as it stands in the file; it is no JSON
object, so the decoder refuses it with its position. A stray quote would swallow the rows after it, up to the next
quote: a row that cannot be read, or becomes too long over several lines, costs only its first line, and reading
goes on at the next.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import msgspec

from monitor.sources.base import SourceError
from monitor.sources.errors import InputError
from monitor.sources.tabular import check_columns, wanted_columns
from monitor.streams import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.sources.lines import LineReader
    from monitor.streams import Stream

_BOM = b"\xef\xbb\xbf"
_FLAGS = {"true": True, "1": True, "false": False, "0": False}

LINES_A_PULL = 1_024
"""Of a row that spans many lines all are parsed again when more of them come, so they do not come one by one."""


class CsvRows:
    """The rows of one CSV file after its header; a row's number is that of its first line.

    Args:
        path: for messages.
        lines: the file's lines; they are closed with the rows.
        stream: the contract whose fields are the columns; other columns are left out.
        max_line_bytes: a longer row is handed over as the first `max_line_bytes + 1` bytes of its first line.
        lines_a_pull: how many lines are taken from the file at least, when a row needs more.

    Raises:
        SourceError: there is no header with the columns that the contract needs.
    """

    def __init__(
        self,
        path: str,
        lines: LineReader,
        stream: Stream,
        max_line_bytes: int,
        lines_a_pull: int = LINES_A_PULL,
    ) -> None:
        self._lines = lines
        self._limit = max_line_bytes
        self._lines_a_pull = lines_a_pull
        self._held: list[bytes] = []
        self._first = 1
        self._progress = lines.progress()
        self._encode = msgspec.json.Encoder().encode
        try:
            header = self._header(path, stream)
        except SourceError:
            lines.close(0.0)
            raise
        kinds = {field.name: field.kind for field in stream.fields}
        self._width = len(header)
        self._columns = [(i, name) for i, name in enumerate(header) if name in kinds]
        self._flags = [name for _, name in self._columns if kinds[name] is Kind.FLAG]
        self._lists = [name for _, name in self._columns if kinds[name] is Kind.TEXTS]

    def read(self, max_records: int) -> tuple[Sequence[int], list[bytes]]:
        """Up to `max_records` rows and the numbers of their first lines.

        Raises:
            SourceError: the file broke, and every whole row before that was handed over.
        """
        numbers, payloads = self._parse(max_records)
        if not payloads and not self._lines.exhausted:
            self._pull(max_records)
            numbers, payloads = self._parse(max_records)
        return numbers, payloads

    @property
    def exhausted(self) -> bool:
        """Whether every row was handed over."""
        return self._lines.exhausted and not self._held

    def progress(self) -> tuple[int, int | None]:
        """Bytes of the file whose rows were all handed over, and its size."""
        return self._progress if self._held else self._lines.progress()

    def close(self, timeout_seconds: float) -> None:
        """Close the file."""
        self._lines.close(timeout_seconds)

    def _pull(self, lines: int) -> None:
        progress = self._progress if self._held else self._lines.progress()
        _, more = self._lines.read(max(lines, self._lines_a_pull))
        self._progress = progress
        self._held += more

    def _header(self, path: str, stream: Stream) -> list[str]:
        """The columns' names, checked against the contract; the rows after them stay held."""
        while not self._held and not self._lines.exhausted:
            self._pull(1)
        if not self._held:
            raise InputError(path, "it is empty", wanted_columns(stream))
        line = self._held.pop(0).removeprefix(_BOM)
        self._first += 1
        try:
            cells = next(csv.reader([line.decode()], strict=True, skipinitialspace=True), [])
        except UnicodeDecodeError:
            raise InputError(path, "its first line is no UTF-8", "save it as CSV in UTF-8") from None
        except csv.Error as error:
            raise InputError(path, f"its first line cannot be read: {error}", wanted_columns(stream)) from None
        header = [cell.strip() for cell in cells]
        check_columns(path, header, stream)
        return header

    def _parse(self, max_records: int) -> tuple[list[int], list[bytes]]:
        """Rows of the held lines; those that are parsed are held no more."""
        held, limit = self._held, self._limit
        cursor = _Cursor(held)
        rows = csv.reader(cursor, strict=True, skipinitialspace=True)
        numbers: list[int] = []
        payloads: list[bytes] = []
        while cursor.at < len(held) and len(payloads) < max_records:
            start = cursor.at
            try:
                row = next(rows)
            except csv.Error:
                if cursor.at == len(held) and not self._lines.exhausted and _size(held[start:]) <= limit:
                    cursor.at = start  # it may go on in lines that are not here yet
                    break
                row, cursor.at = [], start + 1
            if cursor.at - start > 1 and _size(held[start : cursor.at]) > limit:
                row, cursor.at = [], start + 1
            numbers.append(self._first + start)
            payloads.append(self._payload(row, held, start, cursor.at))
        del held[: cursor.at]
        self._first += cursor.at
        return numbers, payloads

    def _payload(self, row: list[str], held: list[bytes], start: int, end: int) -> bytes:
        """The row's object; its text if it does not fit the header, or is too long."""
        text = held[start] if end - start == 1 else b"\n".join(held[start:end])
        if len(row) != self._width or len(text) > self._limit:
            return text
        try:
            return self._encode(self._event(row))[: self._limit + 1]
        except UnicodeEncodeError:
            return text  # no UTF-8

    def _event(self, row: list[str]) -> dict[str, object]:
        event: dict[str, object] = {name: row[i] for i, name in self._columns if row[i]}
        for name in self._flags:
            if name in event:
                word = str(event[name])
                event[name] = _FLAGS.get(word.lower(), word)
        for name in self._lists:
            if name in event:
                event[name] = _words(str(event[name]))
        return event


class _Cursor:
    """Feeds lines to the csv module one by one, and can be set back."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self.at = 0

    def __iter__(self) -> _Cursor:
        return self

    def __next__(self) -> str:
        at = self.at
        if at >= len(self._lines):
            raise StopIteration
        self.at = at + 1
        return self._lines[at].decode("utf-8", "surrogateescape") + "\n"


def _size(lines: list[bytes]) -> int:
    return sum(map(len, lines)) + len(lines) - 1


def _words(cell: str) -> list[str] | str:
    """A list cell: JSON, or words between semicolons; what is neither stays text, for the decoder to refuse."""
    if cell.startswith("["):
        try:
            return msgspec.json.decode(cell, type=list[str])
        except msgspec.MsgspecError:
            return cell
    return [word.strip() for word in cell.split(";") if word.strip()]
