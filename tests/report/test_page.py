"""The page of a replay: it holds what happened, needs nothing from outside, and breaks at no name."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from monitor.generate.listing import signal_as_data
from monitor.report import ReportError, write_report
from monitor.report.figure import ALSO, MAX_LINES, MAX_POINTS, MAX_POINTS_A_LINE, Bounds, draw
from monitor.report.page import render
from monitor.report.style import said
from monitor.results import INDEX_COLUMNS, SEGMENTS
from monitor.signals import CATALOGUE
from tests.report.decoded import decoded, named, texts

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


def figure_of(
    rows: Sequence[dict[str, Any]],
    alerts: Sequence[dict[str, Any]] = (),
    signals: Sequence[dict[str, Any]] = (BY_NAME["repo_tail_bp"],),
    **more: Any,
) -> dict[str, Any]:
    """What the browser gets to draw, of the tail's panel alone if nothing else is said."""
    return decoded(draw("repo", signals, steps_of(rows), alerts, **more))


def lines_of(figure: dict[str, Any]) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if "lines" in trace["mode"] and trace["name"] != "blind"]


def spells_of(blind: dict[str, Any]) -> list[tuple[str, str]]:
    """Of hatched rectangles the first and the last moment."""
    return [(blind["x"][at], blind["x"][at + 2]) for at in range(0, len(blind["x"]), 6)]


def index_of(hours: Sequence[float], **columns: Any) -> pl.DataFrame:
    schema = {"ts": pl.Datetime("us", "UTC")} | {name: kind for name, kind in INDEX_COLUMNS.items() if name != "tick"}
    told: dict[str, Any] = {
        "stress_index": 0.2,
        "low": 0.1,
        "high": 0.4,
        "repo": 0.5,
        "contribution_repo": 0.2,
        "coverage": 0.25,
    }
    told |= {"regime": "elevated", "capped": False} | columns
    return pl.DataFrame([told | {"ts": BEGIN + timedelta(hours=hour)} for hour in hours], schema)


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
        assert "2019-09-16 08:00 to 2019-09-18 08:00, 1,234 events" in read.text, "by New York's clocks"
        for number, what in (
            (1, "turned critical, on 1 day: Repo"),
            (2, "warnings, on 2 days: Repo"),
            (1, "alerts on at the end: 0 critical, 1 warning"),
            (0, "blind at the end"),
            (3, "events refused"),
        ):
            assert f"{number}{what}" in read.text
        assert "the last" not in read.text
        assert "2019-09-15 21:00:00critical" in read.text
        assert "Once critical, first 2019-09-15 21:00 New York by Repo tail; Twice warning" in read.text
        assert "At the end 1 warning, 1 blind." in read.text

    def test_a_fall_from_critical_is_no_new_warning(self) -> None:
        alerts = [alert(1, "critical", "Bad."), alert(2, "warning", "Less bad.", **{"from": "critical"})]
        text = Reader(page_of([row(1, 217.0, "critical")], alerts)).text
        assert "1turned critical, on 1 day: Repo" in text
        assert "0warnings" in text

    def test_what_is_blind_at_the_end_is_named(self) -> None:
        rows = [row(n, 5.0, "calm", instrument=name) for n, name in enumerate("ABC")]
        rows += [row(5, None, "blind", instrument=name) for name in "AB"]
        rows += [row(6, 5.0, "calm", instrument="A"), row(6, None, "blind", "treasury_slope_bp", pair="10s2s")]
        rows += [row(6, None, "blind", "repo_jump_bp", instrument=f"I{n}") for n in range(4)]
        text = Reader(page_of(rows)).text
        assert "6blind at the end: Repo jump (4), Repo tail, Treasury curve slope" in text

    def test_a_section_a_segment_in_the_order_of_the_market(self) -> None:
        rows = [row(1, 5.0, "warning", name) for name in ("cds_widening_bp", "repo_tail_bp", "treasury_spread_zscore")]
        read = Reader(page_of(rows))
        places = [read.text.index(f"{heading}No warning. At the end calm.") for heading in ("Treasury", "Repo", "CDS")]
        assert places == sorted(places)
        assert "Nothing to draw of: New issues, Credit and policy." in read.text

    def test_with_an_index_the_order_is_how_bad_since_when_why_where(self) -> None:
        rows = [row(hour, 50.0, "warning") for hour in (0, 9)]
        read = Reader(render(SIGNALS, summary(), [], steps_of(rows), index_of([1, 2])))
        words = ("regime at the end", "Stress index", "RepoNo warning", "Alert transitions")
        places = [read.text.index(word) for word in words]
        assert places == sorted(places)
        figures = [script for script in read.scripts if "Plotly.newPlot" in script]
        assert len(figures) == 2
        assert "Repo score, 0 to 1" in figures[1]
        span = '"range":["2019-09-15 20:00:00","2019-09-16 05:00:00"]'
        assert all(span in figure for figure in figures), "above each other is at one time"

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
        assert "120 of 1,234 alerts marked" in "".join(read.scripts), "the picture is bounded too"

    def test_a_replay_of_nothing(self) -> None:
        page = page_of(told=summary(events={}, first_event=None, last_event=None))
        read = Reader(page)
        assert "No event met its contract." in read.text
        assert "No signal with thresholds has a value in this replay." in read.text
        assert "None" not in read.text
        assert "no stress index" in read.text
        assert len(page) < 10_000, "without a picture there is no need of what draws it"

    def test_values_without_thresholds_are_no_picture(self) -> None:
        rows = [row(1, 900.0, None, "repo_volume_busd"), row(2, None, "blind", "repo_volume_busd")]
        rows += [row(1, 9.0, None, instrument="TGCR"), row(2, None, "blind", instrument="TGCR")]
        assert "No signal with thresholds has a value in this replay." in Reader(page_of(rows)).text

    def test_it_is_small_enough_to_send(self) -> None:
        """The worst that there can be: every panel full of lines, marks and bands, and names of any length."""
        names = [signal["name"] for signal in SIGNALS]
        sets = pl.DataFrame({"signal": names}).join(pl.DataFrame({"k": range(200)}), how="cross")
        is_blind = pl.col("n") % 5 == 0
        steps = sets.join(pl.DataFrame({"n": range(120)}), how="cross").select(
            ts=BEGIN + pl.duration(minutes=pl.col("n") * 97 + pl.col("k")),
            value_date=pl.lit(None, pl.Date()),
            signal="signal",
            labels=pl.struct(
                pl.format("{} {}", pl.lit(EVIL * 3), "k").alias(name) if name == "instrument"
                else pl.lit(None, pl.String()).alias(name)
                for name in LABELS
            ),
            value=pl.when(~is_blind).then((pl.col("n") * 7_919 + pl.col("k")) % 10_007 / 3),
            level=pl.when(is_blind).then(pl.lit("blind")).otherwise(pl.lit("warning")),
        )  # fmt: skip
        alerts = [alert(n / 10, "warning", f"{EVIL * 5}{n}", signal=names[n % len(names)]) for n in range(9_000)]
        shares = {f"contribution_{segment}": 0.1 for segment in SEGMENTS} | dict.fromkeys(SEGMENTS, 0.5)
        index = index_of([n / 7 for n in range(5_000)], **shares)
        noise = pl.int_range(pl.len()) * 7_919 % 10_007 / 20_014
        index = index.with_columns(pl.col(name) * noise for name in ("stress_index", "low", *shares)).with_columns(
            regime=pl.when(noise > 0.25).then(pl.lit("calm")).otherwise(pl.lit("crisis"))
        )
        page = render(SIGNALS, summary(), alerts, steps, index)
        assert len(page.encode()) < MOST_BYTES
        assert page.count("Plotly.newPlot(") >= 6


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
        signals = [BY_NAME["repo_tail_bp"] | {"title": text}]
        usual = Reader(page_of([row(n, 50.0, "warning") for n in range(3)], [alert(1, "warning", "Tail.")]))
        read = Reader(page_of(rows, alerts))
        assert f"Tail {text}: 50 bp." in read.text
        assert [tag for tag, _ in read.elements] == [tag for tag, _ in usual.elements], "no element came with it"
        figure = figure_of(rows, alerts, signals)
        drawn = [name for trace in figure["data"] for name in (trace["name"], *trace.get("text", []))]
        assert said(text, 60) in drawn
        assert f"Tail {html.escape(text)}: 50 bp." in drawn
        assert not any("<" in each for each in [*drawn, *texts(figure)])


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
        [line, *_] = lines_of(figure_of(rows))
        assert line["y"] == [10.0, 10.0, None, None, 12.0], "it stands until the gap"
        assert line["x"][1] == line["x"][2] == "2019-09-15 22:00:00"
        assert line["line"]["shape"] == "hv"
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
        lines = lines_of(figure_of(rows))
        assert [line["name"] for line in lines] == ["GCF, 30m", "SOFR"], "the worst level first"

    def test_of_too_many_label_sets_the_worst_are_drawn_and_the_title_says_so(self) -> None:
        rows = [row(hour, float(n) * hour, "calm", instrument=f"I{n:02}") for n in range(40) for hour in (1, 2)]
        figure = figure_of(rows)
        lines = [trace["name"] for trace in lines_of(figure)]
        assert lines == [f"I{n}" for n in range(39, 39 - MAX_LINES, -1)]
        assert figure["layout"]["annotations"][0]["text"] == f"Repo tail (bp; the {MAX_LINES} worst of 40)"
        low_is_bad = BY_NAME["repo_tail_bp"] | {
            "thresholds": [BY_NAME["repo_tail_bp"]["thresholds"][0] | {"low_is_bad": True}]
        }
        assert figure_of(rows, signals=[low_is_bad])["data"][0]["name"] == "I00"

    def test_points_are_bounded(self) -> None:
        rows = [row(n, float(n * 7_919 % 1_009), "calm", instrument=f"I{n % 3}") for n in range(9_000)]
        figure = figure_of(rows)
        assert sum(len(trace["y"]) for trace in figure["data"]) <= MAX_POINTS
        assert max(len(trace["y"]) for trace in figure["data"]) <= MAX_POINTS_A_LINE
        many = figure_of(rows, bounds=Bounds.of(100))
        assert sum(len(trace["y"]) for trace in many["data"]) <= MAX_POINTS // 100

    def test_blind_spells_are_bands(self) -> None:
        rows = [row(0, 10.0, "calm"), row(100, None, "blind"), row(104, None, "blind"), row(130, 9.0, "calm")]
        rows += [row(300, 9.0, "calm"), row(310, None, "blind"), row(300, 9.0, "calm", instrument="GCF")]
        rows += [row(320, 9.0, "calm", instrument="GCF")]
        figure = figure_of(rows)
        [blind] = named(figure, "blind")
        assert spells_of(blind) == [
            ("2019-09-20 00:00:00", "2019-09-21 06:00:00"),
            # It is still blind at the replay's end, ten hours later.
            ("2019-09-28 18:00:00", "2019-09-29 04:00:00"),
        ]
        assert (blind["fillpattern"]["shape"], blind["fillpattern"]["fgcolor"]) == ("/", "#999999"), "hatched"
        assert (blind["fill"], blind["fillcolor"]) == ("toself", "rgba(0,0,0,0)")
        assert blind["y"] == [0.0, 1.0, 1.0, 0.0, 0.0, None] * 2
        assert figure["layout"][blind["yaxis"].replace("y", "yaxis")]["range"] == [0, 1], "as high as the panel"
        [word] = [each for each in figure["layout"]["annotations"] if each["text"] == "blind"]
        assert word["x"] == "2019-09-20 15:00:00", "the word stands on the longest"

    def test_without_blind_spells_nothing_is_hatched(self) -> None:
        assert "fillpattern" not in json.dumps(figure_of([row(0, 10.0, "calm"), row(9, None, None)]))

    def test_a_band_is_in_its_own_panel(self) -> None:
        rows = [row(0, 5.0, "calm", name) for name in ("repo_spread_bp", "repo_tail_bp")]
        rows += [row(1, None, "blind"), row(2, 5.0, "calm")]
        panels = [BY_NAME["repo_spread_bp"], BY_NAME["repo_tail_bp"]]
        figure = figure_of(rows, signals=panels)
        [blind] = named(figure, "blind")
        assert (blind["xaxis"], blind["yaxis"]) == ("x2", "y3")
        assert figure["layout"]["yaxis3"]["overlaying"] == "y2"
        tails = [trace for trace in figure["data"] if trace["y"] == [5.0, 5.0, None, 5.0]]
        assert [trace["xaxis"] for trace in tails] == ["x2"]

    def test_a_short_blind_spell_can_be_seen_and_many_are_bounded(self) -> None:
        rows = [row(hour, None if hour % 2 else 5.0, "blind" if hour % 2 else "calm") for hour in range(3_000)]
        [blind] = named(figure_of(rows), "blind")
        assert 1 <= len(spells_of(blind)) <= Bounds.of(1).bands
        short = [row(0, 5.0, "calm"), row(5_000, None, "blind"), row(5_000.1, 5.0, "calm"), row(9_000, 5.0, "calm")]
        [(start, end)] = spells_of(*named(figure_of(short), "blind"))
        width = datetime.fromisoformat(end) - datetime.fromisoformat(start)
        assert width == timedelta(hours=9_000) / Bounds.of(1).bands

    def test_thresholds_are_lines_with_their_words(self) -> None:
        figure = figure_of([row(1, 10.0, "calm")])
        lines = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "line"]
        assert [(line["y0"], line["line"]["color"]) for line in lines] == [(40, "#E69F00"), (80, "#D55E00")]
        assert texts(figure)[-2:] == ["warning 40", "critical 80"]

    def test_thresholds_in_which_rows_differ_are_no_line(self) -> None:
        """The 2-year's threshold across the lines of the 30-year would show a break where there is none."""
        tail = BY_NAME["repo_tail_bp"]["thresholds"][0]
        other = tail | {"row": "other", "critical": {"enter": 90, "exit": 60}}
        two_rows = BY_NAME["repo_tail_bp"] | {"thresholds": [tail, other]}
        figure = figure_of([row(1, 10.0, "calm")], signals=[two_rows])
        assert [shape["y0"] for shape in figure["layout"]["shapes"]] == [40]
        assert "thresholds differ by line" in figure["layout"]["annotations"][0]["text"]

    def test_a_row_without_a_critical_level(self) -> None:
        only_warning = BY_NAME["repo_tail_bp"] | {
            "thresholds": [BY_NAME["repo_tail_bp"]["thresholds"][0] | {"critical": None}]
        }
        figure = figure_of([row(1, 10.0, "calm")], signals=[only_warning])
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

    def test_of_too_many_marks_the_worst_of_each_stretch_stay(self) -> None:
        alerts = [alert(n, "critical" if n == 77 else "warning", f"Sentence {n}.") for n in range(500)]
        figure = figure_of([row(0, 217.0, "critical")], alerts, bounds=Bounds(800, 10, 10))
        [critical], [warning] = named(figure, "critical"), named(figure, "warning")
        assert critical["text"] == ["Sentence 77."]
        assert len(warning["text"]) == 9
        assert "10 of 500 alerts marked" in texts(figure)[0]

    def test_signals_that_tell_the_story_are_drawn_without_levels(self) -> None:
        rows = [
            row(1, 900.0, None, "newissue_supply_busd", instrument="ai"),
            row(1, 9.0, None, "newissue_maturing_busd"),
        ]
        page = page_of(rows)
        assert "New-issue supply (busd)" in page
        assert "Maturing bonds" not in page
        assert set(ALSO) <= set(BY_NAME), "the names are those of the catalogue"

    def test_a_segments_score_stands_above_its_signals(self) -> None:
        score = index_of([0, 2], repo=0.75).select("ts", value="repo")
        figure = figure_of([row(hour, 10.0, "calm") for hour in (0, 5)], score=score)
        [line] = named(figure, "score")
        assert line["y"] == [0.75, 0.75, 0.75]
        assert texts(figure)[:2] == ["Repo score, 0 to 1", "Repo tail (bp)"]

    def test_every_number_is_from_the_files(self) -> None:
        rows = [row(n, n * 7_919 % 1_009 / 8, "calm") for n in range(5_000)]
        [line] = lines_of(figure_of(rows))
        own = {(row["ts"].timestamp(), row["value"]) for row in rows}
        drawn = {
            (datetime.fromisoformat(x).replace(tzinfo=ZoneInfo("America/New_York")).timestamp(), y)
            for x, y in zip(line["x"], line["y"], strict=True)
        }
        assert drawn <= own
        assert max(line["y"]) == max(value for _, value in own)


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
            ("index_parquet", ""), ("index_parquet", "PAR1, but only so far"),
        ],
    )  # fmt: skip
    def test_a_folder_that_is_no_whole_replay_is_told_with_advice(
        self, tmp_path: Path, name: str, content: str | None
    ) -> None:
        write_replay(tmp_path, **{name: content})
        with pytest.raises(ReportError, match=r"is no folder that a replay wrote to its end .*replay --out"):
            write_report(tmp_path)
        assert not (tmp_path / "report.html").exists()

    def test_a_folder_with_an_index_and_one_from_before_there_was_one(self, tmp_path: Path) -> None:
        write_replay(tmp_path)
        assert "no index.parquet" in write_report(tmp_path).read_text(encoding="utf-8")
        index_of([0, 1]).write_parquet(tmp_path / "index.parquet")
        page = write_report(tmp_path).read_text(encoding="utf-8")
        assert "no stress index" not in page
        assert "index at its peak" in page
        index_of([]).write_parquet(tmp_path / "index.parquet")
        assert "no headline signal was scored" in write_report(tmp_path).read_text(encoding="utf-8")

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
