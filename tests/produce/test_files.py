"""Events as files: what is written can be read as input again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.produce.events import Event
from monitor.produce.files import FilesTarget
from monitor.produce.target import TargetError
from monitor.sources.file import FileSource
from monitor.sources.inputs import parse_inputs

EVENTS = [
    Event("repo", b'{"ts":1730000000000000,"instrument":"SOFR","rate":5.31}'),
    Event("reference", b'{"ts":1730000000000001,\n"series":"IORB"}'),
    Event("repo", b"nonsense"),
    Event("repo", b""),
]


def written(path: Path, *chunks: list[Event]) -> None:
    target = FilesTarget(path)
    for chunk in chunks:
        target.send(chunk)
        target.flush()
    target.close()


def payloads(source: FileSource) -> list[bytes]:
    source.open()
    found: list[bytes] = []
    while not source.exhausted:
        if batch := source.poll(100):
            found += batch.payloads
    source.close(1)
    return found


def test_a_folder_is_made_and_has_a_file_a_stream(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "feed"
    written(folder, EVENTS[:2], EVENTS[2:])
    read = {source.stream: payloads(source) for source in parse_inputs([str(folder)])}
    assert read == {
        "repo": [EVENTS[0].payload, b"nonsense", b""],
        "reference": [b'{"ts":1730000000000001, "series":"IORB"}'],
    }


@pytest.mark.parametrize("name", ["all.ndjson", "all.JSONL", "all.ndjson.gz", "all.jsonl.zst"])
def test_one_file_names_the_streams(tmp_path: Path, name: str) -> None:
    written(tmp_path / name, EVENTS[:2], EVENTS[2:])
    lines = payloads(FileSource(str(tmp_path / name), None))
    assert [json.loads(line)["stream"] for line in lines[:2]] == ["repo", "reference"]
    assert lines[2:] == [b"nonsense", b""]


def test_files_are_written_anew(tmp_path: Path) -> None:
    written(tmp_path, EVENTS[:1])
    written(tmp_path, EVENTS[:1])
    assert (tmp_path / "repo.ndjson").read_bytes() == EVENTS[0].payload + b"\n"


@pytest.mark.parametrize("name", ["all.csv", "all.parquet", "all.csv.gz"])
def test_tables_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(TargetError, match=r"only NDJSON is; a file ends in \.ndjson"):
        FilesTarget(tmp_path / name)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "all.ndjson", tmp_path / "gone" / "all.ndjson"):
        with pytest.raises(TargetError, match=r"cannot be written: .*; name another place by --to"):
            FilesTarget(path)
