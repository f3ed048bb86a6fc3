"""`stress-monitor map-check`, as a user has it, on the examples and on what is wrong."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from pathlib import Path

import pytest
import zstandard
from typer.testing import CliRunner

from monitor.cli import app
from monitor.config import load

ROOT = Path(__file__).parents[2]
SHOWN = re.findall(r"```console\n\$ stress-monitor (.*)\n((?:.*\n)*?)```", (ROOT / "docs" / "mapping.md").read_text())
EXAMPLES = sorted((ROOT / "deploy" / "mappings").glob("*.toml"))
GOOD = b'{"t":1767623400,"i":"GC-ON","r":3.7}\n'
SETTINGS = """[sources.vendor]
kind = "websocket"
url = "ws://127.0.0.1:1"
mapping = "rates"
[sources.plain]
kind = "file"
path = "ours.ndjson"
[mappings.rates]
stream = "repo"
fields = { ts = { from = "t", format = "epoch_seconds" }, instrument = { from = "i" }, rate = { from = "r" } }
drop = [{ from = "hb", missing = false, equals = true }]
ignore = ["PING", "pong"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "monitor.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*args: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["map-check", *args, "--config", "monitor.toml"], input=stdin)
    return done.exit_code, done.stdout, " ".join(done.stderr.split())


@pytest.mark.parametrize(("command", "wanted"), SHOWN, ids=[command.split()[1] for command, _ in SHOWN])
def test_the_page_shows_what_is_printed(command: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.stdout == wanted
    assert done.exit_code == 1, "each sample has a line that is refused"


def test_every_example_is_on_the_page() -> None:
    shown = {path for command, _ in SHOWN for path in re.findall(r"\S+\.toml", command)}
    assert shown == {f"deploy/mappings/{path.name}" for path in EXAMPLES}
    for path in EXAMPLES:
        settings = load(path)
        assert [settings.mapper(name) is not None for name in settings.sources] == [True]
        assert path.with_suffix("").with_suffix(".sample.ndjson").exists()


@pytest.mark.parametrize("name", ["sample.ndjson", "sample.txt", "sample.gz", "sample.ZST", "-"])
def test_samples_may_be_packed_or_come_by_standard_input(folder: Path, name: str) -> None:
    packed = {".gz": gzip.compress(GOOD * 2), ".ZST": zstandard.compress(GOOD * 2)}
    if name != "-":
        (folder / name).write_bytes(packed.get(Path(name).suffix, GOOD * 2))
    code, out, _ = check("vendor", name, stdin=GOOD * 2 if name == "-" else None)
    assert code == 0, out
    assert out.count("rate        3.7 percent\n") == 2
    assert out.endswith("2 lines: events 2 of repo; 0 dropped; 0 refused\n")


def test_for_machines_it_is_an_object_a_line(folder: Path) -> None:
    (folder / "sample").write_bytes(GOOD + b'{"hb":true}\n\n{"t":1}\n')
    code, out, _ = check("rates", "sample", "--json")
    assert code == 1
    event, dropped, blank, refused, summary = map(json.loads, out.splitlines())
    assert event == {
        "line": 1, "outcome": "event", "stream": "repo", "units": {"rate": "percent", "term_days": "days"},
        "fields": {"ts": "2026-01-05T14:30:00.000000Z", "instrument": "GC-ON", "rate": "3.7", "kind": "trade",
                   "term_days": "1", "value_date": "2026-01-05"},
    }  # fmt: skip
    assert dropped == {"line": 2, "outcome": "dropped", "rule": "drop 1: hb is true"}
    assert (blank["line"], blank["outcome"], blank["reason"]) == (3, "refused", "blank_line")
    assert (refused["line"], refused["reason"], refused["stream"]) == (4, "not_mapped", "repo")
    assert refused["detail"].startswith("ts from t: 1 in epoch_seconds is outside 1990 to 2100")
    reasons = {"blank_line": 1, "not_mapped": 1}
    assert summary == {"summary": {"lines": 4, "events": {"repo": 1}, "dropped": 1, "refused": 2, "reasons": reasons}}


def test_heartbeats_that_are_plain_text_are_dropped_by_their_rule(folder: Path) -> None:
    (folder / "sample").write_bytes(b"PING\n" + GOOD + b" pong\r\n")
    for feed in ("vendor", "rates"):
        code, out, _ = check(feed, "sample")
        assert code == 0, out
        assert out.startswith("line 1: dropped by ignore: 'PING'\n")
        assert out.endswith("line 3: dropped by ignore: 'pong'\n3 lines: events 1 of repo; 2 dropped; 0 refused\n")


def test_a_zero_of_any_exponent_does_not_end_the_check(folder: Path) -> None:
    settings = SETTINGS.replace('{ from = "r" }', '{ from = "r", scale = "0.01" }')
    (folder / "monitor.toml").write_text(settings)
    (folder / "sample").write_bytes(GOOD.replace(b"3.7", b"0e-9999999") + GOOD)
    code, out, err = check("vendor", "sample")
    assert (code, err) == (0, "")
    assert "line 1: repo\n" in out
    assert "line 2: repo\n" in out


def test_a_frame_is_taken_apart_as_its_source_does(folder: Path) -> None:
    (folder / "sample").write_bytes(b"[" + GOOD.strip() + b"," + GOOD.strip() + b"]\n[]\n")
    code, out, _ = check("vendor", "sample")
    assert code == 0
    assert out.count("line 1: repo\n") == 2
    assert "line 2: holds no event\n" in out
    assert check("rates", "sample")[0] == 1, "of the mapping alone it is not known that frames may be arrays"


def test_long_samples_keep_their_numbers(folder: Path) -> None:
    (folder / "sample").write_bytes(GOOD * 2500 + b"x" * (1 << 21) + b"\n" + GOOD)
    code, out, _ = check("vendor", "sample")
    assert code == 1
    assert "line 2501: REFUSED, line_too_long: " in out
    assert "line 2502: repo\n" in out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("vendr", "sample"), "there is no feed and no mapping vendr: did you mean vendor?"),
        (("plain", "sample"), "the source plain names no mapping"),
        (("vendor", "none.ndjson"), "none.ndjson"),
        (("vendor", "empty"), "empty is empty: a message a line is wanted"),
        (("vendor", "."), "."),
    ],
)
def test_bad_input_is_said(folder: Path, args: tuple[str, ...], words: str) -> None:
    (folder / "sample").write_bytes(GOOD)
    (folder / "empty").write_bytes(b"")
    code, out, err = check(*args)
    assert (code, out) == (2, "")
    assert words in err


def test_settings_without_a_mapping_are_bad_input(folder: Path) -> None:
    (folder / "monitor.toml").write_text("")
    assert "the settings have no mapping" in check("vendor", "sample")[2]
