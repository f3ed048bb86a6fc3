"""Rows of a Parquet file as JSON objects, a slice at a time, converted by Polars without a loop over cells.

A column's type either says what the contract wants or it is refused before the first row, with what to do: a time
without a zone, or a flag kept as a number, would be a guess for every row of the file. Floats go on as the shortest
decimal string that reads back as the same number, so nothing is lost, and NaN stays visible for the decoder to
refuse where JSON would turn it into null.
"""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from monitor.sources.blocks import expand
from monitor.sources.errors import InputError, error_text
from monitor.sources.tabular import check_columns
from monitor.sources.tail import too_short
from monitor.streams import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.streams import Field, Stream

ROWS_A_SLICE = 1 << 17
"""Of a row group that is larger, each slice unpacks again what it does not skip, so slices are not small."""

_NULL_MEMBER = r',"\w+":null'
"""Matches no text within a string: there a comma before a quote ends the string, or a backslash is between."""
_FIRST_NULL_MEMBER = r'^\{"\w+":null,?'
_JSON_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)

_TEXTS = (pl.String, pl.Categorical, pl.Enum)

_Answer = TypeVar("_Answer")


class ParquetRows:
    """The rows of one Parquet file, counted from 1.

    Args:
        path: of a regular file, as the user wrote it.
        stream: the contract whose fields are the columns; other columns are left out.
        max_line_bytes: of a longer object the first `max_line_bytes + 1` bytes are handed over.
        rows_a_slice: how many rows are in memory at once.
        first: the first row that is wanted; those before it are not read.

    Raises:
        SourceError: the file cannot be read, or its columns do not fit the contract.
    """

    def __init__(
        self, path: str, stream: Stream, max_line_bytes: int, rows_a_slice: int = ROWS_A_SLICE, first: int = 1
    ) -> None:
        self._path = path
        self._limit = max_line_bytes
        self._rows_a_slice = rows_a_slice
        self._slice = pl.Series(dtype=pl.Binary)
        scan = pl.scan_parquet(expand(path), glob=False, hive_partitioning=False)
        schema = self._ask(scan.collect_schema)
        check_columns(path, schema.names(), stream)
        columns = [_column(path, field, schema[field.name]) for field in stream.fields if field.name in schema]
        self._scan = scan.select(columns)
        self._total: int = self._ask(scan.select(pl.len()).collect).item()
        if error := too_short(path, self._total, first):
            raise error
        self._at: int = max(first, 1) - 1
        self._slice_at = self._at

    def read(self, max_records: int) -> tuple[range, list[bytes]]:
        """Up to `max_records` rows and their numbers; none at the end only.

        Raises:
            SourceError: the file broke; the rows before the slice that broke were handed over.
        """
        if self._at >= self._slice_at + len(self._slice) and not self.exhausted:
            self._slice = self._ask(self._next_slice)
            self._slice_at = self._at
        taken = self._slice.slice(self._at - self._slice_at, max_records)
        first, self._at = self._at, self._at + len(taken)
        return range(first + 1, self._at + 1), taken.to_list()

    @property
    def exhausted(self) -> bool:
        """Whether every row was handed over."""
        return self._at >= self._total

    def progress(self) -> tuple[int, int | None]:
        """Rows handed over or not wanted, of how many."""
        return self._at, self._total

    def close(self, timeout_seconds: float) -> None:  # noqa: ARG002 - nothing is open between slices
        """Let go of the slice in memory."""
        self._slice = self._slice.clear()
        self._slice_at = self._at

    def _next_slice(self) -> pl.Series:
        """The next rows as objects' bytes."""
        rows = self._scan.slice(self._at, self._rows_a_slice).collect()
        if rows.is_empty():
            raise InputError(self._path, "it has fewer rows than its footer says", "write it again")
        text = pl.struct(pl.all()).struct.json_encode()
        if any(column.null_count() for column in rows):
            text = text.str.replace_all(_NULL_MEMBER, "").str.replace(_FIRST_NULL_MEMBER, "{")
        objects = rows.select(text.cast(pl.Binary).alias("object"))["object"]
        if (objects.bin.size().max() or 0) > self._limit:  # type: ignore[operator]
            objects = pl.Series([line[: self._limit + 1] for line in objects], dtype=pl.Binary)
        return objects

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Polars' answer; its errors as a SourceError."""
        try:
            return question()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
            wrong = f"it cannot be read as Parquet: {error_text(error)}"
            raise InputError(self._path, wrong, "fetch or write it again") from error


def _column(path: str, field: Field, dtype: pl.DataType) -> pl.Expr:
    """The column as it stands in JSON; SourceError if its type leaves open what is meant."""
    column = pl.col(field.name)
    convert, wanted = _KINDS[field.kind]
    converted = column if dtype == pl.Null else convert(column, dtype)
    if converted is None:
        wrong = f"the column {field.name} holds {dtype}, where {wanted} is wanted"
        raise InputError(path, wrong, "convert it and write the file again")
    return converted


def _timestamp(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    if isinstance(dtype, pl.Datetime):
        return column.dt.epoch("us") if dtype.time_zone else None
    return _number(column, dtype) if dtype.is_integer() or dtype == pl.String else None


def _number(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    if dtype in _JSON_INTEGERS or dtype == pl.String:
        return column
    return column.cast(pl.String) if dtype.is_numeric() else None


def _text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    return column.cast(pl.String) if dtype in _TEXTS else None


def _flag(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    return column if dtype == pl.Boolean else None


def _date(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    if isinstance(dtype, pl.Datetime) and not dtype.time_zone:
        # Where a library has no dates, midnight stands for one; any other time is the decoder's to refuse.
        day = column.dt.date().cast(pl.String)
        return pl.when(column.dt.time() == time()).then(day).otherwise(column.cast(pl.String))
    return column.cast(pl.String) if dtype in (pl.Date, pl.String) else None


def _texts(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    is_list = isinstance(dtype, pl.List | pl.Array) and dtype.inner in (*_TEXTS, pl.Null)
    return column.cast(pl.List(pl.String)) if is_list else None


_KINDS: dict[Kind, tuple[Callable[[pl.Expr, pl.DataType], pl.Expr | None], str]] = {
    Kind.TIMESTAMP: (
        _timestamp,
        "a time with its time zone, integer epoch microseconds, or RFC 3339 text with an offset",
    ),
    Kind.NUMBER: (_number, "a number, or decimal text"),
    Kind.TEXT: (_text, "text"),
    Kind.CHOICE: (_text, "text"),
    Kind.FLAG: (_flag, "a boolean"),
    Kind.DATE: (_date, "a date, or text as YYYY-MM-DD"),
    Kind.TEXTS: (_texts, "a list of texts"),
}
"""By kind of field: what makes a column of a type into JSON's, or None; and what is wanted, for the message."""
