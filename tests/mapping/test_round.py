"""A mapped file through the whole monitor: recorded rejects, and their way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from typer.testing import CliRunner

from monitor.cli import app
from monitor.redrive.kept import of_line, of_message
from monitor.redrive.target import Topics

LINES = [
    b'{"t":1767623400,"i":"GC-ON","r":3.7}',
    b' {"t": 1767623401, "i":"GC-ON", "r":"n/a"}  ',
    '{"t":1767623402,"i":"\u00e9","r":99}'.encode(),
    b"\xff\xfe",
    b'{"hb":true}',
    b'{"t":1767623403,"i":"GC-ON","r":3.8}',
]
MAPPING = """
[mappings.rates]
stream = "repo"
fields.ts = { from = "t", format = "epoch_seconds" }
fields.instrument = { from = "i" }
fields.rate = { from = "r", scale = 1 }
drop = [{ from = "hb", equals = true }]
"""


def monitor(*args: str) -> str:
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_refused_is_put_back_as_it_came(tmp_path: Path) -> None:
    vendor, settings = tmp_path / "vendor.ndjson", tmp_path / "monitor.toml"
    vendor.write_bytes(b"\n".join(LINES) + b"\n")
    settings.write_text(f'[sources.vendor]\nkind = "file"\npath = "{vendor}"\nmapping = "rates"\n' + MAPPING)
    recording, out, back = (str(tmp_path / name) for name in ("recording", "out", "back"))
    monitor("record", "--config", str(settings), "--out", recording)
    monitor("replay", "--recording", recording, "--config", str(settings), "--out", out)
    summary = json.loads(Path(out, "summary.json").read_text())
    assert summary["events"] == {"repo": 2}
    told = [json.loads(line) for line in Path(out, "rejects.jsonl").read_text().splitlines()]
    assert [each["reason"] for each in told] == ["not_mapped", "out_of_range", "not_utf8"]
    assert told[0]["detail"] == "rate from r: 'n/a' is no decimal number"
    assert [each["position"] for each in told] == [f"{vendor}:{line}" for line in (2, 3, 4)]

    monitor("redrive", str(Path(out, "rejects.jsonl")), "--to", back)
    assert [each.name for each in Path(back).iterdir()] == ["vendor.raw.ndjson"], "no stream of ours"
    assert Path(back, "vendor.raw.ndjson").read_bytes() == b"\n".join(LINES[1:4]) + b"\n"


def test_a_message_that_was_refused_a_thousand_times_is_kept_once_and_counted_a_thousand_times(tmp_path: Path) -> None:
    events = ",".join(f'{{"t":1767623400,"i":"GC-ON","r":{rate}}}' for rate in ["3.7"] + ['"n/a"'] * 1_000 + ["99"] * 7)
    vendor, settings = tmp_path / "vendor.ndjson", tmp_path / "monitor.toml"
    vendor.write_text(f'{{"all":[{events}]}}\n')
    settings.write_text(
        f'[sources.vendor]\nkind = "file"\npath = "{vendor}"\nmapping = "rates"\n{MAPPING}events = "all"\n'
    )
    recording, out, back = (str(tmp_path / name) for name in ("recording", "out", "back"))
    monitor("record", "--config", str(settings), "--out", recording)
    monitor("replay", "--recording", recording, "--config", str(settings), "--out", out)
    summary = json.loads(Path(out, "summary.json").read_text())
    assert summary["rejects"] == {"repo": {"not_mapped": 1_000, "out_of_range": 7}}
    told = [json.loads(line) for line in Path(out, "rejects.jsonl").read_text().splitlines()]
    assert [(each["reason"], each["events"], each["position"]) for each in told] == [
        ("not_mapped", 1_000, f"{vendor}:1"), ("out_of_range", 7, f"{vendor}:1"),
    ]  # fmt: skip
    assert told[0]["detail"] == "rate from r: 'n/a' is no decimal number; and 999 more of the message"
    monitor("redrive", str(Path(out, "rejects.jsonl")), "--to", back)
    assert Path(back, "vendor.raw.ndjson").read_bytes() == vendor.read_bytes(), "once, whatever the reasons"


def test_a_vendors_message_from_no_topic_goes_into_no_topic_of_ours() -> None:
    line = {
        "stream": "repo", "reason": "not_mapped", "detail": "it was", "source": "desk", "position": "desk:7",
        "mapped": True, "raw": "{}",
    }  # fmt: skip
    kept = of_line(json.dumps(line).encode())
    assert (kept.topic, kept.is_mapped) == (None, True)
    assert of_line(json.dumps(line | {"position": "vendor.raw/3:7"}).encode()).topic == "vendor.raw"
    assert of_line(json.dumps(line | {"mapped": False}).encode()).topic == "repo.rates"
    headers = [
        (name, text.encode())
        for name, text in {**line, "topic": "repo.rates", "partition": "desk", "offset": "7", "mapped": "true"}.items()
        if isinstance(text, str)
    ]
    assert of_message("repo.rates.rejects", headers, b"{}", 0).topic is None
    assert "by the mapping of the source desk" in str(Topics.refuses(cast("Topics", None), kept))
