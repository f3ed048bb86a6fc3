"""The page of a replay: it holds what happened, needs nothing from outside, and breaks at no name."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from monitor.generate.listing import signal_as_data
from monitor.report import ReportError, write_report
from monitor.report.figure import MAX_BANDS, MAX_LINES, MAX_POINTS, MAX_POINTS_A_LINE, draw
from monitor.report.page import render
from monitor.signals import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELS = ("instrument", "window", "pair", "collateral")
SCHEMA = {
    "ts": pl.Datetime("us", "UTC"),
    "value_date": pl.Date(),
    "signal": pl.String(),
    "labels": pl.Struct(dict.fromkeys(LABELS, pl.String())),
    "value": pl.Float64(),
    "score": pl.Float64(),
    "level": pl.String(),
}
BEGIN = datetime(2019, 9, 16, tzinfo=UTC)
SIGNALS = [signal_as_data(signal) for signal in CATALOGUE]
BY_NAME = {signal["name"]: signal for signal in SIGNALS}
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \" ' $title ${x} \u2028 ümlaut"
MOST_BYTES = 6_000_000


def row(
    hour: float, value: float | None, level: str | None, signal: str = "repo_tail_bp", **labels: str
) -> dict[str, Any]:
    has = dict.fromkeys(LABELS) | {"instrument": "SOFR"} | labels
    ts = BEGIN + timedelta(hours=hour)
    return {"ts": ts, "value_date": ts.date(), "signal": signal, "labels": has, "value": value, "level": level}


def steps_of(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA)


def alert(hour: float, after: str, sentence: str, **more: Any) -> dict[str, Any]:
    line = {
        "ts": (BEGIN + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ"), "value_date": "2019-09-16",
        "alert": "RepoTailBp", "signal": "repo_tail_bp", "segment": "repo", "labels": {"instrument": "SOFR"},
        "from": "calm", "to": after, "value": None if after == "blind" else 217.0, "sentence": sentence,
    }  # fmt: skip
    return line | more


def summary(**more: Any) -> dict[str, Any]:
    told = {"events": {"repo": 1_200, "reference": 34}, "rejects": {}, "late": {}}
    return told | {"first_event": "2019-09-16T12:00:00Z", "last_event": "2019-09-18T12:00:00Z"} | more


def page_of(
    rows: Sequence[dict[str, Any]] = (), alerts: Sequence[dict[str, Any]] = (), told: dict[str, Any] | None = None
) -> str:
    return render(SIGNALS, told or summary(), alerts, steps_of(rows))


def figure_of(rows: Sequence[dict[str, Any]], alerts: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """What the browser gets to draw, of the tail's panel alone."""
    figure: dict[str, Any] = json.loads(draw([BY_NAME["repo_tail_bp"]], steps_of(rows), alerts).to_json())
    return figure


def blind_of(figure: dict[str, Any]) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace["name"] == "blind"]


def spells_of(blind: dict[str, Any]) -> list[tuple[str, str]]:
    """Of hatched rectangles the first and the last moment."""
    return [(blind["x"][at], blind["x"][at + 2]) for at in range(0, len(blind["x"]), 6)]


class Reader(HTMLParser):
    """Reads a page as a browser does: elements with their attributes, and the text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data


def write_replay(folder: Path, **files: str | None) -> None:
    """A small replay's files; a name with underscores for its dot takes another content, or is left out."""
    texts: dict[str, str | None] = {
        "catalogue.json": json.dumps(SIGNALS),
        "summary.json": json.dumps(summary()),
        "alerts.jsonl": "".join(json.dumps(line) + "\n" for line in [alert(1, "critical", "Tail 217 bp.")]),
    }
    texts |= {name.replace("_", "."): text for name, text in files.items()}
    for name, text in texts.items():
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    if "signals_parquet" not in files:
        steps_of([row(0, 10.0, "calm"), row(1, 217.0, "critical")]).write_parquet(folder / "signals.parquet")


class TestPage:
    def test_what_happened_stands_in_sentences(self) -> None:
        alerts = [
            alert(1, "critical", "Repo tail SOFR: 217 bp, critical since 08:00 (80)."),
            alert(2, "warning", "Repo tail SOFR: 50 bp, warning.", value_date="2019-09-17"),
            alert(2, "warning", "Repo tail TGCR: 50 bp, warning.", labels={"instrument": "TGCR"}),
            alert(3, "blind", "Repo tail SOFR: no sound data."),
            alert(4, "calm", "Repo tail GCF: calm again.", labels={"instrument": "GCF"}),
        ]
        read = Reader(page_of([row(1, 217.0, "critical")], alerts, summary(rejects={"repo": {"not_json": 3}})))
        for line in alerts:
            assert line["sentence"] in read.text
        assert "2019-09-16T12:00:00Z to 2019-09-18T12:00:00Z, 1,234 events" in read.text
        for number, what in (
            (1, "days on which something turned critical"),
            (1, "more days with a warning"),
            (1, "alerts on at the end"),
            (1, "blind at the end"),
            (3, "events refused"),
        ):
            assert f"{number}{what}" in read.text
        assert "the last" not in read.text

    def test_newest_first(self) -> None:
        text = Reader(page_of(alerts=[alert(1, "warning", "First."), alert(2, "calm", "Second.")])).text
        assert text.index("Second.") < text.index("First.")

    def test_of_too_many_alerts_the_last_are_told_and_it_says_so(self) -> None:
        alerts = [alert(n, "warning", f"Sentence {n}.") for n in range(1_234)]
        read = Reader(page_of([row(n, 50.0, "warning") for n in range(1_234)], alerts))
        assert "the last 500 of 1,234" in read.text
        assert "Sentence 1233." in read.text
        assert "Sentence 734." in read.text
        assert "Sentence 733." not in read.text
        assert "Sentence 733." not in "".join(read.scripts), "nor in the picture: it is bounded too"

    def test_a_replay_of_nothing(self) -> None:
        page = page_of(told=summary(events={}, first_event=None, last_event=None))
        read = Reader(page)
        assert "No event met its contract." in read.text
        assert "No signal with thresholds has a value in this replay." in read.text
        assert "None" not in read.text
        assert len(page) < 10_000, "without a picture there is no need of what draws it"

    def test_values_without_thresholds_are_no_picture(self) -> None:
        rows = [row(1, 900.0, None, "repo_volume_busd"), row(2, None, "blind", "repo_volume_busd")]
        rows += [row(1, 9.0, None, instrument="TGCR"), row(2, None, "blind", instrument="TGCR")]
        assert "No signal with thresholds has a value in this replay." in Reader(page_of(rows)).text

    def test_it_is_small_enough_to_send(self) -> None:
        """The worst that there can be: every panel full of lines, marks and bands."""
        names = [signal["name"] for signal in SIGNALS if signal["thresholds"]]
        rows = [
            row(n / 2, None if n % 5 == 0 else n * 7_919 % 10_007 / 3, "blind" if n % 5 == 0 else "warning", name,
                instrument=f"instrument {k}", window="30m")
            for name in names for k in range(MAX_LINES + 3) for n in range(700)
        ]  # fmt: skip
        alerts = [alert(n / 2, "warning", f"{'A long sentence. ' * 10}{n}", signal=names[n % 3]) for n in range(3_000)]
        assert len(page_of(rows, alerts).encode()) < MOST_BYTES


class TestSelfContained:
    def test_nothing_is_loaded_from_outside(self) -> None:
        page = page_of([row(n, 50.0, "warning") for n in range(9)], [alert(1, "warning", "Tail 50 bp.")])
        read = Reader(page)
        assert len(read.scripts) >= 1
        for tag, attributes in read.elements:
            assert tag not in {"link", "img", "iframe", "object", "embed", "base", "video", "audio", "source"}, tag
            assert not attributes.keys() & {"src", "href", "srcset", "data", "action", "background"}, (tag, attributes)
        styles = re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL)
        assert styles
        assert not any(re.search(r"url\(|@import|https?:", style) for style in styles)
        # In what is not the drawing library itself there is no address at all.
        library = max(read.scripts, key=len)
        assert len(library) > 1_000_000
        assert not re.search(r"https?:", page.replace(library, ""))
        assert "MathJaxConfig: 'local'" in page

    @pytest.mark.parametrize("text", [EVIL, "a < b", "&amp;", "<b>", "100 %{y}"])
    def test_names_and_sentences_are_text(self, text: str) -> None:
        rows = [row(n, 50.0, "warning", instrument=text) for n in range(3)]
        alerts = [alert(1, "warning", f"Tail {text}: 50 bp.", labels={"instrument": text})]
        usual = Reader(page_of([row(n, 50.0, "warning") for n in range(3)], [alert(1, "warning", "Tail.")]))
        read = Reader(page_of(rows, alerts))
        assert f"Tail {text}: 50 bp." in read.text
        assert [tag for tag, _ in read.elements] == [tag for tag, _ in usual.elements], "no element came with it"
        figure = figure_of(rows, alerts)
        texts = [name for trace in figure["data"] for name in (trace["name"], *trace.get("text", []))]
        assert html.escape(text) in texts
        assert f"Tail {html.escape(text)}: 50 bp." in texts


class TestFigure:
    def test_a_panel_a_signal_that_has_levels_in_the_order_of_the_catalogue(self) -> None:
        rows = [
            row(1, 1.0, "calm", "repo_jump_bp"),
            row(1, 1.0, "calm", "repo_spread_bp"),
            row(1, 1.0, None, "repo_volume_busd"),
        ]
        page = page_of(rows)
        titles = re.findall(r'"text":"(Repo [^"]+ \(\w+\))"', page)
        assert titles == ["Repo spread to IORB (bp)", "Repo jump (bp)"]

    def test_a_gap_in_data_is_a_gap(self) -> None:
        rows = [row(1, 10.0, "calm"), row(2, None, "calm"), row(3, None, "blind"), row(4, 12.0, "calm")]
        [line, *_] = figure_of(rows)["data"]
        assert line["y"] == [10.0, None, None, 12.0]
        assert line["connectgaps"] is False
        assert "markers" in line["mode"], "a value between two gaps makes no line"

    def test_label_sets_without_levels_are_not_drawn(self) -> None:
        rows = [
            row(1, 10.0, "calm"),
            row(1, 99.0, None, instrument="TGCR"),
            row(1, 99.0, None, instrument="BGCR"),
            row(2, None, "blind", instrument="BGCR"),
            row(1, 5.0, "warning", instrument="GCF", window="30m"),
        ]
        lines = [trace for trace in figure_of(rows)["data"] if "lines" in trace["mode"]]
        assert [line["name"] for line in lines] == ["SOFR", "GCF, 30m"]

    def test_of_too_many_label_sets_the_worst_are_drawn_and_the_title_says_so(self) -> None:
        rows = [row(hour, float(n) * hour, "calm", instrument=f"I{n:02}") for n in range(40) for hour in (1, 2)]
        figure = figure_of(rows)
        lines = [trace["name"] for trace in figure["data"] if "lines" in trace["mode"]]
        assert lines == [f"I{n}" for n in range(39, 39 - MAX_LINES, -1)]
        assert figure["layout"]["annotations"][0]["text"] == f"Repo tail (bp, the {MAX_LINES} worst of 40)"
        low_is_bad = BY_NAME["repo_tail_bp"] | {
            "thresholds": [BY_NAME["repo_tail_bp"]["thresholds"][0] | {"low_is_bad": True}]
        }
        mirrored = json.loads(draw([low_is_bad], steps_of(rows), []).to_json())
        assert mirrored["data"][0]["name"] == "I00"

    def test_points_are_bounded(self) -> None:
        rows = [row(n, float(n * 7_919 % 1_009), "calm", instrument=f"I{n % 3}") for n in range(9_000)]
        figure = figure_of(rows)
        assert sum(len(trace["y"]) for trace in figure["data"]) <= MAX_POINTS
        assert max(len(trace["y"]) for trace in figure["data"]) <= MAX_POINTS_A_LINE

    def test_blind_spells_are_bands(self) -> None:
        rows = [row(0, 10.0, "calm"), row(100, None, "blind"), row(104, None, "blind"), row(130, 9.0, "calm")]
        rows += [row(300, 9.0, "calm"), row(310, None, "blind"), row(300, 9.0, "calm", instrument="GCF")]
        rows += [row(320, 9.0, "calm", instrument="GCF")]
        figure = figure_of(rows)
        [blind] = blind_of(figure)
        assert spells_of(blind) == [
            ("2019-09-20 00:00:00", "2019-09-21 06:00:00"),
            # It is still blind at the replay's end, ten hours later.
            ("2019-09-28 18:00:00", "2019-09-29 04:00:00"),
        ]
        assert (blind["fillpattern"]["shape"], blind["fillpattern"]["fgcolor"]) == ("/", "#999999"), "hatched"
        assert {y for y in blind["y"] if y is not None} == {0.0, 80.0}, "as high as what is drawn"
        [word] = [each for each in figure["layout"]["annotations"] if each["text"] == "blind"]
        assert word["x"] == "2019-09-20 15:00:00", "the word stands on the longest"

    def test_a_band_is_in_its_own_panel(self) -> None:
        rows = [row(0, 5.0, "calm", name) for name in ("repo_spread_bp", "repo_tail_bp")]
        rows += [row(1, None, "blind"), row(2, 5.0, "calm")]
        panels = [BY_NAME["repo_spread_bp"], BY_NAME["repo_tail_bp"]]
        figure = json.loads(draw(panels, steps_of(rows), []).to_json())
        [blind] = blind_of(figure)
        assert (blind["xaxis"], blind["yaxis"]) == ("x2", "y2")
        tails = [trace for trace in figure["data"] if trace["y"] == [5.0, None, 5.0]]
        assert [trace["xaxis"] for trace in tails] == ["x2"]

    def test_a_short_blind_spell_can_be_seen_and_many_are_bounded(self) -> None:
        rows = [row(hour, None if hour % 2 else 5.0, "blind" if hour % 2 else "calm") for hour in range(3_000)]
        [blind] = blind_of(figure_of(rows))
        assert 1 <= len(spells_of(blind)) <= MAX_BANDS
        short = [row(0, 5.0, "calm"), row(5_000, None, "blind"), row(5_000.1, 5.0, "calm"), row(9_000, 5.0, "calm")]
        [(start, end)] = spells_of(*blind_of(figure_of(short)))
        width = datetime.fromisoformat(end) - datetime.fromisoformat(start)
        assert width == timedelta(hours=9_000) / MAX_BANDS

    def test_thresholds_are_lines_with_their_words(self) -> None:
        figure = figure_of([row(1, 10.0, "calm")])
        lines = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "line"]
        assert [(line["y0"], line["line"]["color"]) for line in lines] == [(40, "#E69F00"), (80, "#D55E00")]
        texts = [each["text"] for each in figure["layout"]["annotations"]]
        assert texts[-2:] == ["warning 40", "critical 80"]

    def test_thresholds_in_which_rows_differ_are_no_line(self) -> None:
        """The 2-year's threshold across the lines of the 30-year would show a break where there is none."""
        tail = BY_NAME["repo_tail_bp"]["thresholds"][0]
        other = tail | {"row": "other", "critical": {"enter": 90, "exit": 60}}
        two_rows = BY_NAME["repo_tail_bp"] | {"thresholds": [tail, other]}
        figure = json.loads(draw([two_rows], steps_of([row(1, 10.0, "calm")]), []).to_json())
        assert [shape["y0"] for shape in figure["layout"]["shapes"]] == [40]
        assert "thresholds differ by line" in figure["layout"]["annotations"][0]["text"]

    def test_a_row_without_a_critical_level(self) -> None:
        only_warning = BY_NAME["repo_tail_bp"] | {
            "thresholds": [BY_NAME["repo_tail_bp"]["thresholds"][0] | {"critical": None}]
        }
        figure = json.loads(draw([only_warning], steps_of([row(1, 10.0, "calm")]), []).to_json())
        assert [shape["y0"] for shape in figure["layout"]["shapes"]] == [40]

    def test_transitions_are_marks_with_their_sentences(self) -> None:
        alerts = [
            alert(1, "critical", "Bad."),
            alert(2, "warning", "Less bad."),
            alert(3, "blind", "Blind."),
            alert(4, "critical", "Another signal's.", signal="repo_jump_bp"),
        ]
        marks = {trace["name"]: trace for trace in figure_of([row(1, 217.0, "critical")], alerts)["data"][1:]}
        assert {name: trace["text"] for name, trace in marks.items()} == {
            "warning": ["Less bad."], "critical": ["Bad."],
        }  # fmt: skip
        assert marks["critical"]["x"] == ["2019-09-15 21:00:00"], "New York's clocks"
        assert marks["critical"]["marker"]["symbol"] != marks["warning"]["marker"]["symbol"], "told in a shape too"


class TestWriteReport:
    def test_it_is_written_beside_the_replay(self, tmp_path: Path) -> None:
        write_replay(tmp_path)
        page = write_report(tmp_path)
        assert page == tmp_path / "report.html"
        assert "Tail 217 bp." in Reader(page.read_text(encoding="utf-8")).text

    def test_names_with_a_line_separator_of_unicode(self, tmp_path: Path) -> None:
        line = alert(1, "critical", "Tail of A\u2028B\u0085C.")
        write_replay(tmp_path, alerts_jsonl=json.dumps(line, ensure_ascii=False) + "\n")
        assert "Tail of A\u2028B\u0085C." in Reader(write_report(tmp_path).read_text(encoding="utf-8")).text

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("catalogue_json", None), ("catalogue_json", ""), ("catalogue_json", "[{"),
            ("summary_json", None), ("summary_json", ""), ("summary_json", '{"something": "else"}'),
            ("summary_json", "[]"), ("alerts_jsonl", None), ("alerts_jsonl", '{"ts": '),
            ("signals_parquet", None), ("signals_parquet", ""), ("signals_parquet", "PAR1, but only so far"),
        ],
    )  # fmt: skip
    def test_a_folder_that_is_no_whole_replay_is_told_with_advice(
        self, tmp_path: Path, name: str, content: str | None
    ) -> None:
        write_replay(tmp_path, **{name: content})
        with pytest.raises(ReportError, match=r"is no folder that a replay wrote to its end .*replay --out"):
            write_report(tmp_path)
        assert not (tmp_path / "report.html").exists()

    def test_a_table_without_the_columns_is_told(self, tmp_path: Path) -> None:
        write_replay(tmp_path)
        pl.DataFrame({"ts": [1]}).write_parquet(tmp_path / "signals.parquet")
        with pytest.raises(ReportError, match="is no folder that a replay wrote"):
            write_report(tmp_path)

    @pytest.mark.parametrize("name", ["nothing", "file"])
    def test_no_folder_at_all(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ReportError, match=f"{name} is no folder"):
            write_report(tmp_path / name)

    def test_a_page_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        write_replay(tmp_path)
        (tmp_path / "report.html").mkdir()
        with pytest.raises(ReportError, match=r"report\.html cannot be written: .*; copy the folder"):
            write_report(tmp_path)
