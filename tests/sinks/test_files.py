"""The files of a replay: their columns, fields and order, and that nothing of an earlier replay is left."""

from __future__ import annotations

import base64
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from monitor.results import SEGMENTS, rfc3339
from monitor.sinks.base import SinkError
from monitor.sinks.files import ReplayFiles
from tests.sinks import made

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.results import Output

SCHEMA = {
    "ts": pl.Datetime("us", "UTC"),
    "value_date": pl.Date(),
    "signal": pl.String(),
    "labels": pl.Struct({"instrument": pl.String(), "window": pl.String()}),
    "value": pl.Float64(),
    "score": pl.Float64(),
    "level": pl.String(),
}


def replay_files(folder: Path, **more: Any) -> ReplayFiles:
    return ReplayFiles(folder, made.STEP_SHAPE, made.LABELS, **more)


def written(folder: Path, outputs: Sequence[Output] = ()) -> pl.DataFrame:
    files = replay_files(folder)
    for output in outputs:
        files.wrote(output)
    files.close()
    return pl.read_parquet(folder / "signals.parquet")


def lines_of(path: Path) -> list[dict[str, Any]]:
    text = path.read_bytes().decode()
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


class TestSignals:
    def test_columns_and_values(self, tmp_path: Path) -> None:
        steps = [
            made.step("repo_tail_bp", 217.0, 2),
            made.step("repo_tail_bp", None, 2, tick=made.TICK + 1, blind=True),
            made.step("repo_tail_bp", None, 1, value_date=None, instrument="GCF", window="30m"),
            made.step("repo_volume_busd", 900.5, None),
            made.step("repo_spread_bp", -3.0, 0),
        ]
        rows = written(tmp_path, [made.output(steps)])
        assert dict(rows.schema) == SCHEMA
        at = datetime(2019, 9, 17, 12, tzinfo=UTC)
        sofr = {"instrument": "SOFR", "window": None}
        assert rows.rows() == [
            (at, made.DAY, "repo_tail_bp", sofr, 217.0, None, "critical"),
            (at.replace(second=1), made.DAY, "repo_tail_bp", sofr, None, None, "blind"),
            (at, None, "repo_tail_bp", {"instrument": "GCF", "window": "30m"}, None, None, "warning"),
            (at, made.DAY, "repo_volume_busd", sofr, 900.5, None, None),
            (at, made.DAY, "repo_spread_bp", sofr, -3.0, None, "calm"),
        ]

    def test_a_blind_label_set_without_thresholds_is_blind_too(self, tmp_path: Path) -> None:
        rows = written(tmp_path, [made.output([made.step("repo_volume_busd", None, None, blind=True)])])
        assert rows["level"].to_list() == ["blind"]

    def test_an_empty_replay_has_the_columns_too(self, tmp_path: Path) -> None:
        rows = written(tmp_path, [made.output()])
        assert rows.height == 0
        assert dict(rows.schema) == SCHEMA

    @pytest.mark.parametrize("parts", [1, 2, 13])
    def test_parts_are_put_together_in_their_order(self, tmp_path: Path, parts: int) -> None:
        outputs, expected = [], []
        for part in range(parts):
            # Later parts have earlier names, and some outputs have no steps.
            ticks = [made.TICK + 10 * part + n for n in (2, 0, 1)]
            names = [f"I{99 - part}-{n}" for n in range(3)]
            steps = [
                made.step("repo_tail_bp", float(tick), 0, tick=tick, instrument=name)
                for tick, name in zip(ticks, names, strict=True)
            ]
            outputs += [made.output(steps), made.output()]
            expected += names
        rows = written(tmp_path, outputs)
        assert dict(rows.schema) == SCHEMA
        assert [labels["instrument"] for labels in rows["labels"]] == expected
        left = ["alerts.jsonl", "index.parquet", "rejects.jsonl", "signals.parquet"]
        assert sorted(path.name for path in tmp_path.iterdir()) == left


class TestIndex:
    def of(self, folder: Path, outputs: Sequence[Output]) -> pl.DataFrame:
        written(folder, outputs)
        return pl.read_parquet(folder / "index.parquet")

    def test_columns_and_values(self, tmp_path: Path) -> None:
        rows = self.of(tmp_path, [made.output(index=[made.index_row()])])
        assert dict(rows.schema) == {
            "ts": pl.Datetime("us", "UTC"), "stress_index": pl.Float64(), "low": pl.Float64(), "high": pl.Float64(),
            **{name: pl.Float64() for name in SEGMENTS},
            **{f"contribution_{name}": pl.Float64() for name in SEGMENTS},
            "coverage": pl.Float64(), "regime": pl.String(), "capped": pl.Boolean(),
        }  # fmt: skip
        assert rows.rows() == [
            (
                datetime(2019, 9, 17, 12, tzinfo=UTC), 0.12, 0.0363, 0.41, 0.6, 0.2, None, None, None,
                0.09, 0.03, None, None, None, 0.55, "elevated", False,
            )
        ]  # fmt: skip

    def test_a_replay_without_an_index_has_the_columns_too(self, tmp_path: Path) -> None:
        rows = self.of(tmp_path, [made.output([made.step("repo_tail_bp", 1.0, 0)])])
        assert (rows.height, rows.columns[0], rows.columns[-1]) == (0, "ts", "capped")

    @pytest.mark.parametrize("parts", [1, 2, 13])
    def test_parts_are_put_together_in_their_order(self, tmp_path: Path, parts: int) -> None:
        outputs = [made.output(index=[made.index_row(low=float(n))]) for n in range(parts)]
        assert self.of(tmp_path, outputs)["low"].to_list() == list(range(parts))

    def test_that_of_made_up_events_says_so(self, tmp_path: Path) -> None:
        files = replay_files(tmp_path, synthetic="treasury-crunch")
        files.wrote(made.output(index=[made.index_row()]))
        files.close()
        assert pl.read_parquet_metadata(tmp_path / "index.parquet")["synthetic"] == "treasury-crunch"


class TestAlerts:
    def test_a_line(self, tmp_path: Path) -> None:
        files = replay_files(tmp_path)
        files.wrote(made.output(transitions=[made.transition()]))
        files.close()
        # The order of the keys too: people read these lines.
        assert (tmp_path / "alerts.jsonl").read_text() == (
            '{"ts": "2019-09-17T12:00:00Z", "value_date": "2019-09-16", "alert": "RepoTailBp", '
            '"signal": "repo_tail_bp", "segment": "repo", "labels": {"instrument": "SOFR"}, '
            '"from": "calm", "to": "critical", "since": "2019-09-17T11:59:00Z", "value": 217.0, "threshold": 80.0, '
            '"contributors": [{"labels": {"instrument": "SOFR"}, "value": 217.0}, '
            '{"labels": {"instrument": "TGCR"}, "value": 1.5}], "runbook": "/runbooks/RepoTailBp", '
            '"notify": "on-call", "sentence": "Repo tail SOFR: 217 bp for 2019-09-16, critical since '
            '2019-09-17 08:00 New York."}\n'
        )

    def test_a_line_into_blindness(self, tmp_path: Path) -> None:
        files = replay_files(tmp_path)
        transition = made.transition(after="blind", value=None, threshold=None, value_date=None, contributors=())
        files.wrote(made.output(transitions=[transition]))
        files.close()
        [line] = lines_of(tmp_path / "alerts.jsonl")
        assert (line["to"], line["value"], line["threshold"], line["value_date"]) == ("blind", None, None, None)
        assert line["contributors"] == []

    def test_every_transition_is_a_line_in_order_whatever_is_in_its_text(self, tmp_path: Path) -> None:
        names = ["one", 'quote " and \\', "new\nline", "line\u2028separator", "ümlaut ✓", ""]
        files = replay_files(tmp_path)
        for name in names:
            files.wrote(made.output(transitions=[made.transition(labels={"instrument": name}, sentence=name)]))
        files.close()
        lines = lines_of(tmp_path / "alerts.jsonl")
        assert [line["sentence"] for line in lines] == names
        assert [line["labels"]["instrument"] for line in lines] == names
        assert "ümlaut ✓" in (tmp_path / "alerts.jsonl").read_text(encoding="utf-8")

    def test_rfc3339(self) -> None:
        assert rfc3339(0) == "1970-01-01T00:00:00Z"
        assert rfc3339(1_582_934_399) == "2020-02-28T23:59:59Z"


class TestRejects:
    def test_a_line_keeps_the_text(self, tmp_path: Path) -> None:
        raw = '{"instrument":"ümlaut ✓ \u2028"'
        files = replay_files(tmp_path)
        files.ingested(made.ingested(rejects=[made.reject("not_json", raw.encode())]))
        files.close()
        [line] = lines_of(tmp_path / "rejects.jsonl")
        assert list(line) == ["stream", "reason", "detail", "source", "position", "raw"]
        assert line == {
            "stream": "repo", "reason": "not_json", "detail": "cut short", "source": "repo.ndjson",
            "position": "in/repo.ndjson:7", "raw": raw,
        }  # fmt: skip

    @pytest.mark.parametrize("raw", [b"", b" ", b"\r", b"\x00\x01", b'{"a":"\\ud800"}', bytes(range(128))])
    def test_text_comes_back_as_it_was(self, tmp_path: Path, raw: bytes) -> None:
        files = replay_files(tmp_path)
        files.ingested(made.ingested(rejects=[made.reject("not_json", raw)]))
        files.close()
        [line] = lines_of(tmp_path / "rejects.jsonl")
        assert line["raw"].encode() == raw
        assert "raw_base64" not in line

    @pytest.mark.parametrize("raw", [b"\xff\xfe", b'{"instrument":"\xc3"}', bytes(range(256)), b"\xed\xa0\x80"])
    def test_bytes_that_are_no_text_come_back_too(self, tmp_path: Path, raw: bytes) -> None:
        files = replay_files(tmp_path)
        files.ingested(made.ingested(rejects=[made.reject("not_utf8", raw)]))
        files.close()
        [line] = lines_of(tmp_path / "rejects.jsonl")
        assert base64.b64decode(line["raw_base64"], validate=True) == raw
        assert "\\x" in line["raw"], "it can be read, if not exactly"

    def test_of_too_many_the_first_are_kept_and_all_are_counted(self, tmp_path: Path) -> None:
        files = replay_files(tmp_path, max_rejects=3)
        for first in (0, 2):
            rejects = [made.reject(partition="f", offset=first + n) for n in range(2)]
            files.ingested(made.ingested(rejects=rejects))
        files.ingested(made.ingested(rejects=[made.reject()]))
        files.close()
        assert [line["position"] for line in lines_of(tmp_path / "rejects.jsonl")] == ["f:0", "f:1", "f:2"]
        assert (files.rejects_kept, files.rejects_dropped) == (3, 2)


class TestFolder:
    def test_it_is_made(self, tmp_path: Path) -> None:
        written(tmp_path / "a" / "b")
        assert (tmp_path / "a" / "b" / "signals.parquet").exists()

    def test_what_an_earlier_replay_left_is_replaced(self, tmp_path: Path) -> None:
        files = replay_files(tmp_path)
        files.ingested(made.ingested(rejects=[made.reject()]))
        files.wrote(made.output([made.step("repo_tail_bp", 1.0, 0)], [made.transition()]))
        files.close()
        files.write_catalogue([{"name": "repo_tail_bp"}])
        files.write_summary({"events": {}})
        (tmp_path / "report.html").write_text("of that replay")
        (tmp_path / "mine.txt").write_text("not the monitor's")
        killed = replay_files(tmp_path)
        for name in ("signals.parquet", "index.parquet"):
            assert not (tmp_path / name).exists(), "half a replay could be taken for a whole one"
        for _ in range(3):
            killed.wrote(made.output([made.step("repo_tail_bp", 2.0, 0)], index=[made.index_row()]))
        killed._files.close()  # and nothing of what a replay does at its end

        rows = written(tmp_path, [made.output([made.step("repo_spread_bp", 3.0, 0)])])
        assert rows.select("signal", "value").rows() == [("repo_spread_bp", 3.0)]
        assert {path.name: path.stat().st_size > 0 for path in tmp_path.iterdir()} == {
            "signals.parquet": True, "index.parquet": True, "alerts.jsonl": False, "rejects.jsonl": False,
            "mine.txt": True,
        }  # fmt: skip

    def test_a_report_that_is_not_beside_a_replay_is_not_touched(self, tmp_path: Path) -> None:
        (tmp_path / "report.html").write_text("mine")
        written(tmp_path)
        assert (tmp_path / "report.html").read_text() == "mine"

    def test_summary_and_catalogue(self, tmp_path: Path) -> None:
        files = replay_files(tmp_path)
        files.close()
        files.write_catalogue([{"name": "repo_tail_bp"}])
        files.write_summary({"events": {"repo": 1}})
        assert json.loads((tmp_path / "catalogue.json").read_text()) == [{"name": "repo_tail_bp"}]
        assert json.loads((tmp_path / "summary.json").read_text()) == {"events": {"repo": 1}}

    def test_one_that_cannot_be_made_is_told_with_advice(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for folder in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(SinkError, match=r"file.* cannot be written: .*; name another folder with --out"):
                replay_files(folder)

    @pytest.mark.parametrize("name", ["alerts.jsonl", "rejects.jsonl", "signals.parquet", "index.parquet"])
    def test_one_in_which_a_file_cannot_be_written_is_told(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).mkdir()
        with pytest.raises(SinkError, match="cannot be written"):
            replay_files(tmp_path)

    def test_one_that_is_lost_on_the_way_is_told(self, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        files = replay_files(folder)
        shutil.rmtree(folder)
        for write in (
            lambda: files.wrote(made.output([made.step("repo_tail_bp", 1.0, 0)])),
            lambda: files.write_catalogue([]),
            lambda: files.write_summary({}),
            files.close,
        ):
            with pytest.raises(SinkError, match=r"out cannot be written: .*; name another folder"):
                write()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
    def test_a_full_disk_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "alerts.jsonl").symlink_to("/dev/full")
        files = replay_files(tmp_path)
        files.wrote(made.output(transitions=[made.transition()]))
        with pytest.raises(SinkError, match="No space left on device"):
            files.close()
