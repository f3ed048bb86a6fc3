"""A mapped file through the whole monitor: recorded rejects, and their way back."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from monitor.cli import app

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
    assert Path(back, "repo.ndjson").read_bytes() == b"\n".join(LINES[1:4]) + b"\n"
