"""What `FileSource` says before a line is read: names, formats, and why a file cannot be opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from monitor.sources.base import SourceError
from monitor.sources.file import EXTENSIONS, EXTENSIONS_TEXT, FileSource, extension_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from monitor.sources.base import RawBatch, Source

    ReadAll = Callable[..., list[tuple[int, bytes]]]
    Drain = Callable[..., list[RawBatch]]
    Opened = Callable[[Source], AbstractContextManager[Source]]


def test_partition_is_the_path_as_written_and_name_is_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drain: Drain, opened: Opened
) -> None:
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "repo.NDJSON").write_bytes(b"{}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("./day/../day/repo.NDJSON", "~/day/repo.NDJSON", Path("day") / "repo.NDJSON"):
        source = FileSource(path, "repo")
        with opened(source):
            [batch] = drain(source)
        assert (batch.source, batch.stream, batch.partition) == ("repo.NDJSON", "repo", str(path))
        assert (batch.arrived_us, list(batch.offsets), batch.payloads) == (None, [1], [b"{}"])
    assert FileSource("day/repo.NDJSON", "repo", "feed").name == "feed"
    assert FileSource("-", "repo").name == "stdin"


@pytest.mark.parametrize(
    ("path", "extension"),
    [
        ("a/treasury.ndjson", ".ndjson"),
        ("treasury.jsonl.gz", ".jsonl.gz"),
        ("X.CSV.ZST", ".csv.zst"),
        ("day.csv/treasury.parquet", ".parquet"),
        ("treasury.parquet.gz", ""),
        ("treasury.json", ""),
        ("treasury.gz", ""),
        ("ndjson", ""),
        ("-", ""),
        ("", ""),
    ],
)
def test_format_follows_from_the_name(path: str, extension: str) -> None:
    assert extension_of(path) == extension


def test_message_names_every_extension() -> None:
    named = {word.strip("(),") for word in EXTENSIONS_TEXT.split()}
    assert {".ndjson", ".jsonl", ".csv", ".parquet", ".gz", ".zst"} == {word for word in named if word[0] == "."}
    assert all(any(part in ext for part in named) for ext in EXTENSIONS)


def refused(path: Path | str, stream: str | None = "repo") -> str:
    source = FileSource(path, stream)
    with pytest.raises(SourceError) as error:
        source.open()
    assert not source.exhausted
    assert source.progress() == (0, None)
    source.close(1.0)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    return text


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_file_that_is_not_there_or_is_something_else(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"repo{extension}"
    assert "there is no such file" in refused(path)
    path.mkdir()
    assert "it is a folder; give the path of one file" in refused(path)
    path.rmdir()
    os.mkfifo(path)
    assert "no regular file; send NDJSON through standard input" in refused(path)
    path.unlink()
    (tmp_path / "file").write_bytes(b"")
    assert "it cannot be opened: Not a directory" in refused(tmp_path / "file" / f"repo{extension}")
    assert "it cannot be opened: embedded null byte" in refused(f"nul\0{extension}")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_file_that_may_not_be_read(
    open_to_all: Path, as_nobody: Callable[[], AbstractContextManager[None]], extension: str
) -> None:
    path = open_to_all / f"repo{extension}"
    path.write_bytes(b"")
    path.chmod(0)
    with as_nobody():
        assert "permission" in refused(path).lower()


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("kind", [".ndjson", ".csv"])
@pytest.mark.parametrize("content", [b"", b'{"plain":"text"}\n', b"\x1f\x8b"])
def test_what_is_not_packed_as_its_name_says_is_refused_when_opened(
    tmp_path: Path, kind: str, packing: str, content: bytes
) -> None:
    path = tmp_path / f"repo{kind}{packing}"
    path.write_bytes(content)
    assert f"no {packing} file at all" in refused(path)


def test_streams_and_formats_that_there_are_not(tmp_path: Path) -> None:
    assert "quotes is no stream; a stream is one of treasury, repo" in refused(tmp_path / "a.ndjson", "quotes")
    assert "its name does not tell its format; it must end in .ndjson" in refused(tmp_path / "a.txt")
    for name in ("a.csv", "a.parquet"):
        assert "the rows of a table do not say their stream" in refused(tmp_path / name, None)


def test_without_a_stream_each_object_says_its_own(tmp_path: Path, drain: Drain, opened: Opened) -> None:
    (tmp_path / "a.ndjson").write_bytes(b'{"stream":"repo"}\n')
    source = FileSource(tmp_path / "a.ndjson", None)
    with opened(source):
        [batch] = drain(source)
    assert batch.stream is None


def test_mistakes_of_the_caller(tmp_path: Path, opened: Opened) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    source = FileSource(tmp_path / "a.ndjson", "repo")
    with opened(source):
        with pytest.raises(ValueError, match="at least 1"):
            source.poll(0)
        with pytest.raises(RuntimeError, match="opened once"):
            source.open()


def test_a_path_is_one_file_however_it_looks(tmp_path: Path, read_all: ReadAll) -> None:
    """No pattern, no address, no `column=value` folder: Polars would read something into each."""
    folder = tmp_path / "volume=7"
    folder.mkdir()
    for name in ("repo[1]*.parquet", "plain.parquet"):
        pl.DataFrame({"ts": [1], "instrument": [name], "rate": [5.5]}).write_parquet(folder / name)
    [(_, payload)] = read_all(FileSource(folder / "repo[1]*.parquet", "repo"))
    assert payload == b'{"ts":1,"instrument":"repo[1]*.parquet","rate":"5.5"}'


def test_a_million_rows_are_no_matter_of_memory(tmp_path: Path, drain: Drain, opened: Opened) -> None:
    path = tmp_path / "repo.csv"
    path.write_bytes(b"ts,instrument,rate\n" + b"1700000000000000,SOFR,5.31\n" * 20_000)
    source = FileSource(path, "repo")
    with opened(source):
        batches = drain(source, (100_000,))
    assert sum(map(len, batches)) == 20_000
    assert batches[-1].offsets[-1] == 20_001
