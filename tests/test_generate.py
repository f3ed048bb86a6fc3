"""Generated files: nothing of the catalogue is missing on them, and what is not current is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from monitor import streams
from monitor.generate.files import generated, stale, write_all
from monitor.generate.listing import edge_text, overrides_text, signal_as_data
from monitor.generate.metric_docs import metrics_page
from monitor.generate.signal_docs import signals_page, thresholds_page
from monitor.generate.stream_docs import streams_page
from monitor.markdown import MADE, NOTICE, page, table
from monitor.signals import CATALOGUE
from monitor.signals.model import Signal
from monitor.signals.thresholds import Edge
from monitor.sinks.metrics import FAMILIES
from monitor.sinks.prometheus import PrometheusSink
from monitor.sinks.snapshot import MetricOfSignal

GENERATED = generated()


def rows_of(text: str, heading: str = "") -> list[list[str]]:
    """The cells of every table row below a heading, up to the next one of its kind; a cell's bar is escaped."""
    section = text
    if heading:
        _, found, section = text.partition(f"\n{heading}\n")
        assert found, f"{heading!r} is no heading of the page"
        section = section.partition(f"\n{heading.split()[0]} ")[0]
    return [
        [cell.replace("\0", "|") for cell in line.replace("\\|", "\0")[2:-2].split(" | ")]
        for line in section.splitlines()
        if line.startswith("| ") and not line.startswith("| ---")
    ]


class TestFiles:
    def test_writing_twice_changes_nothing(self, tmp_path: Path) -> None:
        written = write_all(tmp_path, GENERATED)
        assert [str(path.relative_to(tmp_path)) for path in written] == list(GENERATED)
        assert stale(tmp_path, GENERATED) == []
        before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in written}
        assert write_all(tmp_path, GENERATED) == []
        assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in written} == before
        assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(written)

    @pytest.mark.parametrize("name", GENERATED)
    def test_a_missing_and_a_changed_file_are_found_and_mended(self, tmp_path: Path, name: str) -> None:
        write_all(tmp_path, GENERATED)
        sound = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        assert stale(tmp_path, GENERATED) == [name]
        for changed in (
            b"",
            sound + b"\n",
            sound.replace(b"a", b"b", 1),
            sound.replace(b"\n", b"\r\n"),
            b"\xff" + sound,
        ):
            (tmp_path / name).write_bytes(changed)
            assert stale(tmp_path, GENERATED) == [name]
            assert (tmp_path / name).read_bytes() == changed, "looking changes nothing"
            assert write_all(tmp_path, GENERATED) == [tmp_path / name]
            assert (tmp_path / name).read_bytes() == sound

    def test_nothing_there_at_all(self, tmp_path: Path) -> None:
        assert stale(tmp_path / "none", GENERATED) == list(GENERATED)

    @pytest.mark.parametrize("name", GENERATED)
    def test_every_file_says_that_it_is_generated_and_ends_with_one_line_end(self, name: str) -> None:
        text = GENERATED[name]
        if name.endswith(".json"):
            assert MADE in json.loads(text)["description"]
        else:
            assert MADE in "".join(text.split("\n")[:4])
        assert text.endswith("\n")
        assert not text.endswith("\n\n")

    def test_making_them_again_gives_the_same(self) -> None:
        assert generated() == GENERATED


class TestSignals:
    @pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.name)
    def test_every_signal_has_its_section(self, signal: Signal) -> None:
        text = signals_page(CATALOGUE)
        assert f"\n## `{signal.name}`\n\n{signal.help}\n" in text
        facts = dict(rows_of(text, f"## `{signal.name}`"))
        assert facts["formula"] == f"`{signal.formula}`"
        assert facts["unit"] == signal.unit
        assert facts["labels"] == (", ".join(f"`{label}`" for label in signal.labels) or "none")
        assert facts["window"] == signal.window_help
        assert facts["source"] == signal.source
        assert signal.segment in facts["segment"]
        assert ("headline" in facts["segment"]) == signal.headline
        assert (facts["alert"] == f"`{signal.alert}`") == bool(signal.thresholds)

    def test_every_threshold_row_with_its_reason(self) -> None:
        text = thresholds_page(CATALOGUE)
        told = {(cells[0], cells[1]): cells[2:] for cells in rows_of(text)[1:]}
        assert len(told) == sum(len(signal.thresholds) for signal in CATALOGUE)
        for signal in CATALOGUE:
            for row in signal.thresholds:
                assert told[f"`{signal.name}`", f"`{row.id}`"] == [
                    "" if row.calm is None else f"{row.calm:g}",
                    edge_text(row.warning), edge_text(row.critical), overrides_text(row),
                    f"{row.hold_in} / {row.hold_out}", row.notify,
                ]  # fmt: skip
                assert row.reason in text

    def test_a_row_in_words(self) -> None:
        [tail] = [signal for signal in CATALOGUE if signal.name == "repo_tail_bp"]
        assert (
            "| `repo_tail_bp` | `benchmark` | 15 | 40/25 | 80/60 | Q 60/80, Y 60/80 | at once / at once | on-call |"
            in (thresholds_page([tail]).splitlines())
        )
        assert edge_text(Edge(-0.5, -1)) == "-0.5/-1"
        assert edge_text(None) == ""

    def test_as_data(self) -> None:
        [tail] = [signal_as_data(signal) for signal in CATALOGUE if signal.name == "repo_tail_bp"]
        for key in ("name", "unit", "labels", "window", "thresholds", "formula", "source"):
            assert tail[key], key
        assert (tail["metric"], tail["alert"]) == ("market_repo_tail_bp", "RepoTailBp")
        assert tail["runbook"] == "/runbooks/RepoTailBp"
        benchmark, trades = tail["thresholds"]
        assert benchmark["warning"] == {"enter": 40, "exit": 25}
        assert benchmark["overrides"] == {
            "Q": {"warning": 60, "critical": 80}, "Y": {"warning": 60, "critical": 80},
        }  # fmt: skip
        assert (benchmark["hold_in"], trades["hold_in"]) == ("at once", "10 min")


class TestStreams:
    @pytest.mark.parametrize("stream", streams.STREAMS.values(), ids=lambda stream: stream.name)
    def test_every_field_of_every_contract(self, stream: streams.Stream) -> None:
        text = streams_page()
        head, *told = rows_of(text, f"## {stream.name}")
        assert head[0] == "field"
        assert [cells[0] for cells in told] == [f"`{field.name}`" for field in stream.fields]
        for cells, field in zip(told, stream.fields, strict=True):
            assert cells[2] == ("yes" if field.required else "")
            assert cells[5] == field.help
            for choice in field.choices:
                assert f"`{choice}`" in cells[3]
        assert f"Topic `{stream.topic}`, message key `{stream.message_key}`." in text
        for group in stream.one_of:
            assert f"At least one of {', '.join(f'`{name}`' for name in group)}." in text

    @pytest.mark.parametrize(
        ("stream", "field", "told"),
        [
            ("treasury", "bid", "1 to 300 price per 100 face; 0 is none"),
            ("treasury", "bid_size", "0 to 10,000,000 USD millions"),
            ("repo", "rate", "-5 to 25 percent"),
            ("cds", "recovery", "0 to 1 (excluded) ratio"),
            ("reference", "value", "-100,000,000 to 100,000,000 see `unit`"),
        ],
    )
    def test_ranges_are_whole_numbers_for_people(self, stream: str, field: str, told: str) -> None:
        [cells] = [cells for cells in rows_of(streams_page(), f"## {stream}") if cells[0] == f"`{field}`"]
        assert cells[3] == told

    def test_every_reason_and_every_known_series(self) -> None:
        text = streams_page()
        reasons = dict(rows_of(text, "## Reasons of rejects")[1:])
        assert list(reasons) == [f"`{reason}`" for reason in streams.Reason]
        assert all(reasons.values())
        series = dict(rows_of(text, "## Known reference series")[1:])
        for name, unit in streams.SERIES_UNITS.items():
            assert series[f"`{name}`"] == unit
        for prefix, unit in streams.SERIES_PREFIX_UNITS.items():
            assert series[f"`{prefix}<tenor>`"] == unit


def test_markdown() -> None:
    assert table(("a", "b"), [("1", "x | y"), ("", "2")]) == "| a | b |\n| --- | --- |\n| 1 | x \\| y |\n|  | 2 |"
    assert page("Title", "one", "two") == f"# Title\n\n{NOTICE}\n\none\n\ntwo\n"


class TestMetrics:
    def test_every_metric_that_can_be_scraped_stands_there_with_its_labels(self) -> None:
        metrics = [
            MetricOfSignal(s.name, s.alert, s.help, s.segment, s.labels, s.headline, bool(s.thresholds))
            for s in CATALOGUE
        ]
        told = {cells[0].strip("`"): cells[1:] for cells in rows_of(metrics_page(CATALOGUE)) if cells[0] != "metric"}
        text = PrometheusSink(metrics, "1").page()[0].decode()
        scraped = {family.name: family for family in parse_prometheus(text) if not family.name.endswith("_created")}
        assert len(scraped) > len(CATALOGUE)
        for family in scraped.values():
            suffix = "_total" if family.type == "counter" else ""
            assert family.documentation in told[family.name + suffix]
        for signal in CATALOGUE:
            assert told[signal.metric] == [", ".join(f"`{label}`" for label in signal.labels), signal.help]
        # Those of the index are there once there is one.
        assert set(told) >= {family.scraped for family in FAMILIES}
