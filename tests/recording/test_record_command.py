"""`stress-monitor record`, its listing, and `replay --recording`, as a user has them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.sources.recording import recorded_feeds
from tests.recording.reading import batch, files, read, write

US = 1_700_000_000_000_000


def monitor(*args: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "monitor", *args], capture_output=True, text=True, cwd=folder, timeout=120, check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of repo trades and rates, and settings that name them."""
    trades = [f'{{"ts":{US + n * 1_000_000},"instrument":"GC-ON","rate":5.3,"volume":2}}' for n in range(200)]
    (tmp_path / "repo.ndjson").write_text("\n".join([*trades, "no event"]) + "\n")
    (tmp_path / "reference.ndjson").write_text(f'{{"ts":{US},"series":"IORB","value":5.4,"unit":"percent"}}\n')
    (tmp_path / "monitor.toml").write_text(
        '[sources.desk]\nkind = "file"\npath = "repo.ndjson"\nstream = "repo"\n'
        '[sources.rates]\nkind = "file"\npath = "reference.ndjson"\nstream = "reference"\n'
    )
    return tmp_path


def test_a_recording_is_listed_and_replayed_as_what_was_recorded(folder: Path) -> None:
    done = monitor("record", "--config", "monitor.toml", "--out", "recording", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "202 events" in done.stderr
    assert recorded_feeds(folder / "recording") == ["desk", "rates"]

    shown = monitor("record", "--show", "recording", folder=folder)
    assert shown.returncode == 0, shown.stderr
    row = next(line for line in shown.stdout.splitlines() if "desk" in line)
    assert [each.strip() for each in row.strip("│").split("│")][:3] == ["desk", "file", "repo.ndjson"]
    assert row.rstrip("│ ").endswith("201")

    inputs = ("repo=repo.ndjson", "reference=reference.ndjson")
    for out, args in (("a", ("--recording", "recording", "--config", "monitor.toml")), ("b", inputs)):
        replayed = monitor("replay", *args, "--out", out, folder=folder)
        assert replayed.returncode == 0, replayed.stderr
    said = {out: json.loads((folder / out / "summary.json").read_text()) for out in "ab"}
    for out in said.values():
        del out["wall_seconds"], out["events_per_second"]
    assert said["a"] == said["b"]
    assert said["a"]["events"] == {"repo": 200, "reference": 1}
    assert (folder / "a" / "alerts.jsonl").read_text() == (folder / "b" / "alerts.jsonl").read_text()
    (reject,) = (folder / "a" / "rejects.jsonl").read_text().splitlines()
    assert json.loads(reject)["source"] == "desk"


def test_a_second_start_records_only_what_is_new(folder: Path) -> None:
    for _ in range(2):
        assert monitor("record", "--config", "monitor.toml", folder=folder).returncode == 0
    with (folder / "repo.ndjson").open("a") as file:
        file.write('{"one":"more"}\n')
    assert "1 events" in monitor("record", "--config", "monitor.toml", folder=folder).stderr
    assert len(files(folder / "recording")) == 2
    assert len(read(folder / "recording")) == 203


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_ended_by_a_signal_with_all_that_came(folder: Path, number: int) -> None:
    (folder / "pipe.toml").write_text('[sources.desk]\nkind = "file"\npath = "-"\nstream = "repo"\n')
    command = [sys.executable, "-m", "monitor", "record", "--config", "pipe.toml", "--sync-seconds", "0.05"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b'{"n":1}\n{"n":2}\n')
        process.stdin.flush()
        while not (folder / "recording").exists() or not read(folder / "recording"):
            assert process.poll() is None
        process.send_signal(number)
        assert b"2 events" in process.stderr.read()
        assert process.wait() == 0
    assert [row[2] for row in read(folder / "recording")] == [b'{"n":1}', b'{"n":2}']


def test_standard_input_is_not_gone_on_with_in_a_folder_that_holds_some(folder: Path) -> None:
    (folder / "pipe.toml").write_text('[sources.desk]\nkind = "file"\npath = "-"\nstream = "repo"\n')
    (folder / "short.ndjson").write_text('{"n":1}\n')
    for expected in (0, 2):
        with (folder / "short.ndjson").open("rb") as given:
            done = subprocess.run(
                [sys.executable, "-m", "monitor", "record", "--config", "pipe.toml"], stdin=given, capture_output=True,
                text=True, cwd=folder, timeout=60, check=False,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            )  # fmt: skip
        assert done.returncode == expected, done.stderr
    assert "standard input cannot be gone on with" in done.stderr


def test_a_feed_that_was_never_read_is_no_success(folder: Path) -> None:
    (folder / "none.toml").write_text('[sources.desk]\nkind = "file"\npath = "none.ndjson"\nstream = "repo"\n')
    done = monitor("record", "--config", "none.toml", "--for", "0.3", folder=folder)
    assert done.returncode == 2
    assert "desk could not be read at all" in done.stderr


def test_it_ends_after_its_time(folder: Path) -> None:
    (folder / "pipe.toml").write_text('[sources.desk]\nkind = "file"\npath = "-"\n')
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", "record", "--config", "pipe.toml", "--for", "0.1"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:  # fmt: skip
        assert process.wait(60) == 0


def test_a_damaged_recording_is_not_replayed_as_if_nothing_were(folder: Path) -> None:
    write(folder / "recording", [batch(0), batch(3)])
    (file,) = files(folder / "recording")
    content = bytearray(file.read_bytes())
    content[-30] ^= 4
    file.write_bytes(content)
    done = monitor("replay", "--recording", "recording", folder=folder)
    assert done.returncode == 2
    assert "recording/20231114T221320Z-0001.frames.ndjson.zst: the block at byte" in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("record",), "there is nothing to record: name settings with a [sources.NAME] section"),
        (("record", "--for", "0"), "--for 0: a finite number above 0 is needed"),
        (("record", "--show", "none"), "none: there is no such folder; name the folder that"),
        (("record", "--show", "."), "there is no recording in this folder"),
        (("record", "--config", "monitor.toml", "--out", "repo.ndjson"), "repo.ndjson: it cannot be written"),
        (("replay", "--recording", "none"), "none: there is no such folder; name the folder that"),
        (("replay", "--recording", "none", "--scenario", "calm"), "name either inputs, a --scenario, a --history or a"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(folder: Path, args: tuple[str, ...], said: str) -> None:
    done = monitor(*args, folder=folder)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_has_examples(folder: Path) -> None:
    assert "stress-monitor record --config monitor.toml --out var/recording" in " ".join(
        monitor("record", "--help", folder=folder).stdout.split()
    )
