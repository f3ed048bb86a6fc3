"""The AI debt wave: the numbers of the mission's worry, read off the monitor's own output; the README quotes it.

The articles said: Alphabet and Meta paid concessions of 10 to 15 bp; investment-grade spreads rose from 74 to 80 bp and
were seen another 20 to 30 higher; AI was 30 % of supply; 1.7 trillion dollars were priced in the year, of a record of
1.8; more than a trillion matures in a year; trading of single-name CDS rose by 90 %; Oracle's spread was the highest
since 2009. All of the scenario's names are made up.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars import col as c

NAME = "ai-debt-wave"
README = Path(__file__).parents[1] / "README.md"
NEW_YORK = ZoneInfo("America/New_York")
MOST_BYTES = 6 << 20


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wave")
    words = ("replay", "--scenario", NAME, "--report", "--out", str(out))
    subprocess.run([sys.executable, "-m", "monitor", *words], check=True, capture_output=True, timeout=280)
    return out


@pytest.fixture(scope="module")
def signals(replayed: Path) -> pl.DataFrame:
    return pl.read_parquet(replayed / "signals.parquet").unnest("labels")


@pytest.fixture(scope="module")
def index(replayed: Path) -> pl.DataFrame:
    return pl.read_parquet(replayed / "index.parquet")


@pytest.fixture(scope="module")
def alerts(replayed: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (replayed / "alerts.jsonl").read_text(encoding="utf-8").splitlines()]


def values(signals: pl.DataFrame, signal: str, **labels: str | None) -> list[float]:
    """What a label set said, in the order of ticks."""
    rows = signals.filter(c("signal") == signal, *(c(name).eq_missing(pl.lit(v)) for name, v in labels.items()))
    found: list[float] = rows["value"].drop_nulls().to_list()
    assert found, f"{signal} {labels} has no value"
    return found


def first_above_calm(alerts: list[dict[str, Any]], signal: str, **labels: str) -> str:
    """New York time at which a label set of the signal first left calm."""
    for line in alerts:
        if line["signal"] == signal and line["to"] != "calm" and labels.items() <= line["labels"].items():
            moment = datetime.strptime(line["ts"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            return f"{moment.astimezone(NEW_YORK):%H:%M}"
    raise AssertionError(f"{signal} {labels} stays calm")


class TestTheNumbersOfTheArticles:
    def test_concessions_of_ten_to_fifteen_bp_and_then_more(self, signals: pl.DataFrame) -> None:
        said = values(signals, "newissue_concession_bp", theme="ai", sector=None, window="5bd")
        assert any(10 <= value <= 15 for value in said)
        assert max(said) > 20

    def test_crowding_out(self, signals: pl.DataFrame, alerts: list[dict[str, Any]]) -> None:
        rest = values(signals, "newissue_concession_bp", theme="rest", sector=None, window="5bd")
        assert rest[0] < 3
        assert max(rest) > 20
        assert max(values(signals, "newissue_concession_gap_bp", window="5bd")) > 7
        first = first_above_calm(alerts, "newissue_concession_bp", theme="ai", window="5bd")
        assert first < first_above_calm(alerts, "newissue_concession_bp", theme="rest", window="5bd")

    def test_investment_grade_spreads(self, signals: pl.DataFrame) -> None:
        spread = values(signals, "credit_spread_bp", series="IG_OAS")
        off_low = values(signals, "credit_off_low_bp", series="IG_OAS")
        assert (spread[0], off_low[0]) == (80, 6)  # the low of a year was 74
        assert 20 <= max(off_low) <= 30
        assert max(spread) >= 100

    def test_the_share_of_ai(self, signals: pl.DataFrame) -> None:
        for window in ("20bd", "60bd", "ytd"):
            said = values(signals, "newissue_share_ratio", theme="ai", window=window)
            assert said[-1] == pytest.approx(0.30, abs=0.01)

    def test_a_year_of_supply_against_the_record(self, signals: pl.DataFrame) -> None:
        total = values(signals, "newissue_supply_busd", window="ytd", purpose=None, theme=None)
        assert total[-1] == pytest.approx(1_700, abs=1)
        assert values(signals, "newissue_pace_ratio")[-1] >= 1

    def test_more_than_a_trillion_matures(self, signals: pl.DataFrame) -> None:
        assert values(signals, "newissue_maturing_busd") == [1_050]

    def test_trading_of_single_names(self, signals: pl.DataFrame) -> None:
        assert values(signals, "cds_volume_surge_ratio")[-1] == pytest.approx(1.9, abs=0.05)

    def test_the_widest_in_sixteen_years(self, signals: pl.DataFrame) -> None:
        assert max(values(signals, "cds_days_since_higher", entity="SYN-CLOUD-2")) > 3_600
        probability = values(signals, "cds_default_probability_ratio", entity="SYN-CLOUD-2", tenor="5y")
        assert max(probability) == pytest.approx(0.118, abs=0.0005)

    def test_a_deal_inside_treasuries(self, signals: pl.DataFrame) -> None:
        said = values(signals, "newissue_below_treasury_count", window="20bd")
        assert (said[0], said[-1]) == (0, 1)

    def test_an_issuer_over_a_holder_s_limit(self, signals: pl.DataFrame, alerts: list[dict[str, Any]]) -> None:
        said = values(signals, "newissue_issuer_share_ratio", issuer="SYN-CLOUD-3", bucket="all")
        assert said[0] < 0.025 < 0.04 < max(said)
        assert [
            line["to"] for line in alerts if line["signal"] == "newissue_issuer_share_ratio"
        ] == ["warning", "critical"]  # fmt: skip


class TestTheChain:
    def test_it_begins_calm_and_all_of_it_is_seen(self, index: pl.DataFrame) -> None:
        first = index.row(0, named=True)
        assert (first["regime"], first["coverage"]) == ("calm", 1.0)
        assert first["stress_index"] < 0.01
        assert index["low"].equals(index["stress_index"])

    def test_it_ends_in_a_crisis_that_eases(self, index: pl.DataFrame) -> None:
        regimes = index.filter(c("regime") != c("regime").shift(1))["regime"].to_list()
        assert regimes == ["elevated", "stressed", "crisis", "stressed"]
        assert not index["capped"].any()

    def test_deals_and_hedges_go_first_then_treasuries_then_repo(
        self, index: pl.DataFrame, alerts: list[dict[str, Any]]
    ) -> None:
        """By the segment that contributes most, and by the first that is past its warning."""
        told = index.filter(c("stress_index") > 0.005)
        names = [name for name in index.columns if name.startswith("contribution_")]
        largest = [max(row, key=lambda name: row[name]) for row in told.select(names).iter_rows(named=True)]
        order = list(dict.fromkeys(largest))
        assert order[0] == "contribution_newissue"
        assert "contribution_treasury" in order[1:]
        firsts = [
            first_above_calm(alerts, signal)
            for signal in ("newissue_concession_bp", "treasury_spread_32nds", "repo_tail_bp")
        ]
        assert firsts == sorted(firsts)
        assert first_above_calm(alerts, "cds_widening_bp") < firsts[1]
        past_half = {segment: index.filter(c(segment) >= 0.5)["ts"][0] for segment in ("newissue", "treasury", "repo")}
        assert list(past_half.values()) == sorted(past_half.values())

    def test_contributions_sum_to_the_index(self, index: pl.DataFrame) -> None:
        parts = index.select(pl.sum_horizontal(c("^contribution_.*$").fill_null(0)) - c("stress_index"))
        assert parts.to_series().abs().max() < 1e-12  # type: ignore[operator]


class TestTheReadme:
    def test_its_sentences_are_told(self, alerts: list[dict[str, Any]]) -> None:
        quoted = re.findall(r"^\[\w+ *\] (SYNTHETIC: .*)$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert len(quoted) == 4
        assert set(quoted) <= {line["sentence"] for line in alerts}

    def test_every_output_says_that_it_is_made_up(self, replayed: Path, alerts: list[dict[str, Any]]) -> None:
        assert all(line["synthetic"] is True and line["sentence"].startswith("SYNTHETIC: ") for line in alerts)
        for name in ("signals.parquet", "index.parquet"):
            assert pl.read_parquet_metadata(replayed / name)["synthetic"] == NAME
        summary = json.loads((replayed / "summary.json").read_text())
        assert summary["synthetic"] is True
        assert summary["story"].startswith("SYNTHETIC")

    def test_the_page_is_small_and_says_it_too(self, replayed: Path) -> None:
        page = replayed / "report.html"
        assert page.stat().st_size < MOST_BYTES
        assert 'class="synthetic">SYNTHETIC' in page.read_text(encoding="utf-8")
