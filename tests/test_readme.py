"""What the README quotes of the scenario is what its replay says, and every output of that says it is made up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("crunch")
    command = [
        sys.executable,
        "-m",
        "monitor",
        "replay",
        "--scenario",
        "treasury-crunch",
        "--report",
        "--out",
        str(out),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=250)
    return out


def test_the_sentences_of_the_readme_are_told(replayed: Path) -> None:
    quoted = re.findall(r"^\[\w+ *\] (SYNTHETIC: .*)$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    told = [json.loads(line)["sentence"] for line in (replayed / "alerts.jsonl").read_text().splitlines()]
    assert len(quoted) == 3
    assert set(quoted) <= set(told)


def test_every_output_says_that_it_is_made_up(replayed: Path) -> None:
    alerts = [json.loads(line) for line in (replayed / "alerts.jsonl").read_text().splitlines()]
    assert alerts
    assert all(line["synthetic"] is True and line["sentence"].startswith("SYNTHETIC: ") for line in alerts)
    assert pl.read_parquet_metadata(replayed / "signals.parquet")["synthetic"] == "treasury-crunch"
    summary = json.loads((replayed / "summary.json").read_text())
    assert summary["synthetic"] is True
    assert summary["story"].startswith("SYNTHETIC")
    assert 'class="synthetic">SYNTHETIC' in (replayed / "report.html").read_text(encoding="utf-8")
