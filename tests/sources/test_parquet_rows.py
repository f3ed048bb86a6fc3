"""Parquet: every value goes on as what it is, whatever the slices, and no type is guessed at."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.sources.base import SourceError
from monitor.sources.file import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from monitor.sources.base import Source

    Positioned = list[tuple[int, bytes]]
    ReadAll = Callable[..., list[tuple[int, bytes]]]
    Rows = Callable[..., list[tuple[int, bytes]]]
    Opened = Callable[[Source], AbstractContextManager[Source]]


TS = 1_700_000_000_000_000


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, read_all: ReadAll) -> Rows:
    """Writes columns as Parquet and reads the rows; `ts` and the key are there unless given."""
    folder = tmp_path_factory.mktemp("parquet")

    def read(
        columns: Any, stream: str = "cds", sizes: Sequence[int] = (1000,), group: int | None = None, **small: Any
    ) -> Positioned:
        path = folder / f"{stream}.parquet"
        pl.DataFrame(columns).write_parquet(path, row_group_size=group)
        return read_all(FileSource(str(path), stream, **small), sizes)

    return read


def one(rows: Rows, stream: str = "cds", **columns: Any) -> dict[str, Any]:
    """The object of a row that has these columns and what else is needed."""
    needed = {"cds": {"ts": [TS], "entity": ["A"], "mid": ["5"]}, "treasury": {"ts": [TS], "instrument": ["A"]}}[stream]
    [(number, payload)] = rows({**needed, **columns}, stream)
    assert number == 1
    event: dict[str, Any] = json.loads(payload)
    return event


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pl.Series([99.1]), "99.1"),
        (pl.Series([0.1 + 0.2]), "0.30000000000000004"),
        (pl.Series([1e-7]), "1e-7"),
        (pl.Series([100.0]), "100.0"),
        (pl.Series([99.1], dtype=pl.Float32), "99.1"),
        (pl.Series([math.nan]), "NaN"),
        (pl.Series([math.inf]), "inf"),
        (pl.Series([Decimal("99.515625000")]), "99.515625000"),
        (pl.Series(["99.10"]), "99.10"),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), "18446744073709551615"),
        (pl.Series([7], dtype=pl.Int128), "7"),
    ],
)
def test_numbers_become_decimal_text_without_loss(rows: Rows, column: Any, text: str) -> None:
    assert one(rows, mid=column)["mid"] == text


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt32, pl.Int64])
def test_integers_stay_numbers(rows: Rows, dtype: Any) -> None:
    assert one(rows, mid=pl.Series([7], dtype=dtype))["mid"] == 7


@settings(deadline=None)
@given(st.lists(st.floats() | st.floats(width=32), min_size=1, max_size=20))
def test_no_digit_of_a_float_is_lost(rows: Rows, values: Any) -> None:
    read = rows({"ts": [TS] * len(values), "entity": ["A"] * len(values), "mid": pl.Series(values, dtype=pl.Float64)})
    back = [float(json.loads(payload)["mid"]) for _, payload in read]
    assert [repr(value) for value in back] == [repr(value) for value in values]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_times_with_a_zone_become_epoch_microseconds(rows: Rows, unit: Any, zone: str) -> None:
    time = datetime(2024, 3, 10, 7, 0, 1, 250_000, tzinfo=UTC)
    column = pl.Series([time]).cast(pl.Datetime(unit, "UTC")).dt.convert_time_zone(zone)
    assert one(rows, ts=column)["ts"] == int(time.timestamp() * 1_000_000)


def test_times_as_integers_and_text_stay(rows: Rows) -> None:
    assert one(rows, ts=[TS])["ts"] == TS
    assert one(rows, ts=pl.Series([TS], dtype=pl.UInt64))["ts"] == str(TS)
    assert one(rows, ts=["2024-01-02T15:00:00Z"])["ts"] == "2024-01-02T15:00:00Z"


def test_dates_flags_lists_and_words(rows: Rows) -> None:
    day = date(2034, 11, 15)
    midnight, later = datetime(2034, 11, 15), datetime(2034, 11, 15, 7)  # noqa: DTZ001 - naive as libraries write them
    assert one(rows, "treasury", bid=[1.5], maturity=[day])["maturity"] == "2034-11-15"
    assert one(rows, "treasury", bid=[1.5], maturity=["2034-11-15"])["maturity"] == "2034-11-15"
    assert one(rows, "treasury", bid=[1.5], maturity=[midnight])["maturity"] == "2034-11-15"
    assert one(rows, "treasury", bid=[1.5], maturity=[later])["maturity"].startswith("2034-11-15 07:00")
    assert one(rows, "treasury", bid=[1.5], on_the_run=[False])["on_the_run"] is False
    assert one(rows, themes=[["ai", "é"]])["themes"] == ["ai", "é"]
    assert one(rows, themes=pl.Series([["ai"]], dtype=pl.List(pl.Categorical)))["themes"] == ["ai"]
    assert one(rows, themes=pl.Series([["ai", "x"]], dtype=pl.Array(pl.String, 2)))["themes"] == ["ai", "x"]
    assert one(rows, entity=pl.Series(["A"], dtype=pl.Categorical))["entity"] == "A"
    assert one(rows, entity=pl.Series(["A"], dtype=pl.Enum(["A"])))["entity"] == "A"


def test_nulls_and_unknown_columns_are_left_out(rows: Rows) -> None:
    columns = {
        "desk": ["x", "y", "z"],
        "ts": [None, TS, None],
        "entity": ["A", None, None],
        "mid": [None, 5.0, None],
        "index": pl.Series([None] * 3, dtype=pl.Null),
        "themes": [[], None, None],
    }
    assert rows(columns) == [(1, b'{"entity":"A","themes":[]}'), (2, b'{"ts":%d,"mid":"5.0"}' % TS), (3, b"{}")]


texts = st.text(st.sampled_from('",:{}[]\\nul a_é✓\n\t\x00\x7f'), max_size=12) | st.just('","mid":null,"') | st.none()


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts, st.lists(texts, max_size=3) | st.none()), max_size=8))
def test_whatever_the_texts_only_nulls_are_left_out(rows: Rows, table: Any) -> None:
    entities, ids, themes = zip(*table, strict=True) if table else ((), (), ())
    columns = {
        "ts": [TS] * len(table),
        "entity": pl.Series(entities, dtype=pl.String),
        "mid": pl.Series([None] * len(table), dtype=pl.Float64),
        "id": pl.Series(ids, dtype=pl.String),
        "themes": pl.Series(list(themes), dtype=pl.List(pl.String)),
    }
    wanted = [
        {"ts": TS} | {k: v for k, v in {"entity": e, "id": i, "themes": t}.items() if v is not None}
        for e, i, t in table
    ]
    assert [json.loads(payload) for _, payload in rows(columns)] == wanted


@settings(deadline=None)
@given(
    count=st.integers(0, 50),
    rows_a_slice=st.integers(1, 20),
    group=st.integers(1, 20),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=3),
)
def test_every_row_comes_once_in_order_whatever_the_slices(
    rows: Rows, count: int, rows_a_slice: int, group: int, sizes: Sequence[int]
) -> None:
    columns = {"ts": pl.Series(range(count), dtype=pl.Int64), "entity": ["A"] * count, "mid": [1.0] * count}
    read = rows(columns, sizes=sizes, group=group, rows_a_slice=rows_a_slice)
    assert [(number, json.loads(payload)["ts"]) for number, payload in read] == [(i + 1, i) for i in range(count)]


def test_progress_counts_rows(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "cds.parquet"
    pl.DataFrame({"ts": range(10), "entity": ["A"] * 10, "mid": [1.0] * 10}).write_parquet(path)
    source = FileSource(str(path), "cds", rows_a_slice=4)
    with opened(source):
        assert (source.progress(), source.lag()) == ((0, 10), 10)
        source.poll(3)
        assert (source.progress(), source.lag()) == ((3, 10), 7)


def test_objects_that_are_too_long_are_cut_after_one_byte_more(rows: Rows) -> None:
    read = rows({"ts": [TS] * 2, "entity": ["A" * 200, "B"], "mid": [1.0] * 2}, max_line_bytes=100)
    assert [len(read[0][1]), read[1][1]] == [101, b'{"ts":%d,"entity":"B","mid":"1.0"}' % TS]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ({"ts": [datetime(2024, 1, 2)]}, "the column ts holds Datetime.*, where a time with its time zone"),  # noqa: DTZ001
        ({"ts": [date(2024, 1, 2)]}, "the column ts holds Date"),
        ({"ts": [1.7e15]}, "the column ts holds Float64"),
        ({"mid": [True]}, "the column mid holds Boolean, where a number"),
        ({"entity": [7]}, "the column entity holds Int64, where text"),
        ({"entity": [b"A"]}, "the column entity holds Binary"),
        ({"index": [1]}, "the column index holds Int64, where a boolean"),
        ({"index": ["true"]}, "the column index holds String, where a boolean"),
        ({"themes": ["ai"]}, "the column themes holds String, where a list of texts"),
        ({"themes": [[1]]}, r"the column themes holds List\(Int64\)"),
    ],
)
def test_a_type_that_leaves_open_what_is_meant_is_refused_when_opened(rows: Rows, column: Any, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        one(rows, **column)


def test_a_date_column_with_a_time_zone_is_refused(rows: Rows) -> None:
    with pytest.raises(SourceError, match="the column maturity holds Datetime"):
        one(rows, "treasury", bid=[1.5], maturity=[datetime(2034, 11, 15, tzinfo=UTC)])


def test_a_missing_column_is_told(rows: Rows) -> None:
    with pytest.raises(SourceError, match="no column entity, but ts, mid; a table of cds needs the columns ts, entity"):
        rows({"ts": [TS], "mid": [1.0]})


def test_what_is_no_parquet_or_is_cut_short_is_told(tmp_path: Path, rows: Rows) -> None:
    rows({"ts": [TS] * 100, "entity": ["A"] * 100, "mid": [1.0] * 100})
    path = tmp_path / "cds.parquet"
    pl.DataFrame({"ts": [TS], "entity": ["A"], "mid": [1.0]}).write_parquet(path)
    content = path.read_bytes()
    for broken in (b"", b"text", content[:-10], content[:20]):
        path.write_bytes(broken)
        with pytest.raises(SourceError, match=r"cannot be read as Parquet.*fetch or write it again") as error:
            FileSource(str(path), "cds").open()
        assert str(path) in str(error.value)


def test_a_file_damaged_in_the_middle_hands_over_the_slices_before(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "cds.parquet"
    pl.DataFrame({"ts": range(100), "entity": [f"A{i * 7919}" for i in range(100)], "mid": [1.5] * 100}).write_parquet(
        path, row_group_size=50, compression="zstd"
    )
    content = bytearray(path.read_bytes())
    last_zstd = content.rindex(b"\x28\xb5\x2f\xfd", 0, len(content) // 2 + 400)
    content[last_zstd : last_zstd + 4] = b"\0\0\0\0"
    path.write_bytes(content)
    source = FileSource(str(path), "cds", rows_a_slice=50)
    with opened(source):
        batch = source.poll(1000)
        assert batch is not None
        assert list(batch.offsets) == list(range(1, 51))
        for _ in range(2):
            with pytest.raises(SourceError, match="cannot be read as Parquet"):
                source.poll(1000)
            assert not source.exhausted
