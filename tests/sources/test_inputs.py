"""INPUT words: what is read as which stream, and what a person is told who mistyped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest

from monitor.sources.base import SourceError
from monitor.sources.errors import InputError
from monitor.sources.inputs import parse_inputs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(*words: str) -> list[tuple[str | None, str, str]]:
    return [(source.stream, source.partition, source.name) for source in parse_inputs(words)]


def refused(*words: str) -> str:
    with pytest.raises(InputError) as error:
        parse_inputs(words)
    assert isinstance(error.value, SourceError)
    return str(error.value)


def fill(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def test_words_name_a_stream_and_a_path() -> None:
    assert parsed("treasury=a/b.ndjson.gz", "repo=-", "cds=x=y.csv", "treasury=C.PARQUET") == [
        ("treasury", "a/b.ndjson.gz", "b.ndjson.gz"),
        ("repo", "-", "stdin"),
        ("cds", "x=y.csv", "x=y.csv"),
        ("treasury", "C.PARQUET", "C.PARQUET"),
    ]
    assert parsed() == []


def test_a_folder_is_read_by_the_names_of_its_files(here: Path) -> None:
    names = ["repo.csv.zst", "treasury.parquet", "treasury.jsonl", "Reference.CSV", "README.md", "notes.csv"]
    fill(here / "day", *names, "treasury.parquet.gz", "treasury", "cds.json", ".treasury.csv.swp", "old.repo.csv")
    wanted = [
        ("treasury", "day/treasury.jsonl", "treasury.jsonl"),
        ("treasury", "day/treasury.parquet", "treasury.parquet"),
        ("repo", "day/repo.csv.zst", "repo.csv.zst"),
        ("reference", "day/Reference.CSV", "Reference.CSV"),
    ]
    assert parsed("day") == wanted
    assert parsed("./day/") == [(stream, f"./{path}", name) for stream, path, name in wanted]


def test_folders_and_files_may_be_mixed(here: Path) -> None:
    fill(here / "a", "repo.csv")
    fill(here / "b", "repo.csv")
    assert [path for _, path, _ in parsed("b", "repo=c.csv", "a")] == ["b/repo.csv", "c.csv", "a/repo.csv"]


def test_a_folder_may_have_an_equals_sign_in_its_name(here: Path) -> None:
    fill(here / "date=2024-01-02", "repo.csv")
    assert parsed("date=2024-01-02") == [("repo", "date=2024-01-02/repo.csv", "repo.csv")]


def test_home_is_found_where_the_shell_leaves_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    fill(here / "day", "repo.csv")
    assert parsed("~/day") == [("repo", "~/day/repo.csv", "repo.csv")]
    assert "was given before, by `~/day`" in refused("~/day", "repo=day/repo.csv")


def test_output_of_a_replay_is_no_input(here: Path) -> None:
    outputs = ["signals.parquet", "index.parquet", "alerts.jsonl", "rejects.jsonl", "summary.json"]
    fill(here / "out", *outputs)
    assert "it looks like the output of a replay" in refused("out")
    fill(here / "out", "repo.csv")
    assert [path for _, path, _ in parsed("out")] == ["out/repo.csv"]


def test_a_folder_without_a_stream_tells_what_would_fit(here: Path) -> None:
    fill(here / "day", "quotes.csv")
    told = refused("day")
    assert told.startswith("day: none of the files in the folder is named after a stream; ")
    for fitting in ("treasury.EXT", "reference.EXT", ".ndjson", ".jsonl", ".csv", ".gz", ".zst", ".parquet"):
        assert fitting in told
    assert "replay" not in told


@pytest.mark.parametrize(
    ("words", "by"),
    [
        (("repo=a.csv", "repo=a.csv"), "repo=a.csv"),
        (("repo=a.csv", "cds=./a.csv"), "repo=a.csv"),
        (("repo=day/repo.csv", "day"), "repo=day/repo.csv"),
        (("day", "day/"), "day"),
        (("repo=link.csv", "repo=day/repo.csv"), "repo=link.csv"),
        (("repo=-", "cds=-"), "repo=-"),
    ],
)
def test_the_same_input_twice_is_refused(here: Path, words: tuple[str, ...], by: str) -> None:
    fill(here / "day", "repo.csv")
    (here / "link.csv").symlink_to("day/repo.csv")
    told = refused(*words)
    assert told.startswith(f"{words[-1]}: ")
    assert f"was given before, by `{by}`; give each file, and standard input, once" in told


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("quotes=a.csv", "quotes=a.csv: `quotes` is no stream; a stream is one of treasury, repo, newissue, cds, ref"),
        ("Treasury=a.csv", "perhaps treasury is meant"),
        ("treasurys=a.csv", "perhaps treasury is meant"),
        ("=a.csv", "`` is no stream"),
        ("repo=", "there is no path behind the `=`"),
        ("repo=day", "the path is a folder; give a file, or the folder without `repo=`"),
        ("repo=a.json", "its name does not tell its format; it must end in .ndjson"),
        ("repo=a.parquet.gz", "its name does not tell its format"),
        ("there.csv", "there.csv: it does not say which stream it is; write STREAM=there.csv"),
        ("-", "-: it does not say which stream it is; write STREAM=-"),
        ("", "``: it does not say which stream it is; write STREAM=PATH"),
        ("nowhere", "nowhere: there is no such folder; an INPUT is STREAM=PATH"),
    ],
)  # fmt: skip
def test_mistyped_words(here: Path, word: str, told: str) -> None:
    fill(here / "day", "repo.csv")
    fill(here, "there.csv")
    text = refused(word)
    assert told in text
    assert "for example `treasury=quotes.ndjson.gz`" in text


def test_a_folder_that_may_not_be_read(
    open_to_all: Path, as_nobody: Callable[[], AbstractContextManager[None]]
) -> None:
    day = open_to_all / "day"
    fill(day, "repo.csv")
    day.chmod(0)
    try:
        with as_nobody():
            assert "the folder cannot be read" in refused(str(day))
    finally:
        day.chmod(0o755)
