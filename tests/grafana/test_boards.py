"""The boards as files: complete, of metrics that exist, understood by Prometheus, and of one manner."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from monitor.generate import boards
from monitor.generate.boards import manner, provisioning
from monitor.generate.boards.layout import number_of
from monitor.generate.boards.not_shown import NOT_SHOWN
from monitor.generate.facts import Facts
from monitor.generate.rules import RECORDING
from monitor.links import BOARD_OF_SEGMENT, OVERVIEW
from monitor.links import BOARDS as UIDS
from monitor.signals import CATALOGUE
from monitor.sinks.metrics import FAMILIES
from tests.deploy.files import compose
from tests.grafana.reading import (
    BOARDS,
    MARKS,
    QUERIES,
    VARIABLES,
    Asked,
    filled,
    marks_of,
    metrics_in,
    open_panels,
    panels_of,
    queries_of,
)
from tests.prometheus.tools import alerts, need, run

FILES: Final = boards.files(Facts())
PROCESS: Final = {
    "process_virtual_memory_bytes", "process_resident_memory_bytes", "process_start_time_seconds",
    "process_cpu_seconds_total", "process_open_fds", "process_max_fds",
}  # fmt: skip
HISTOGRAMS: Final = {family.name for family in FAMILIES if family.kind == "histogram"}
OWN: Final = {f.scraped for f in FAMILIES} | {s.metric for s in CATALOGUE} | PROCESS
OF_PROMETHEUS: Final = {"up", "ALERTS", "ALERTS_FOR_STATE"}
OF_ALERTMANAGER: Final = {"alertmanager_silences", "alertmanager_alerts"}
KINDS: Final = {"timeseries", "stat", "table", "state-timeline", "heatmap", "bargauge", "barchart", "xychart", "text"}

CALM: Final = {"#808080", "rgba(128, 128, 128, 0.2)", "text", "transparent"}
PALETTE: Final = {"#E69F00", "#D55E00", "#999999", "#0072B2"} | CALM

each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])


def base(name: str) -> str:
    """A histogram's own name."""
    bare = re.sub(r"_(bucket|sum|count)$", "", name)
    return bare if bare in HISTOGRAMS else name


def everything_in(value: Any) -> list[Any]:
    """All that a piece of JSON holds, at any depth."""
    if isinstance(value, dict):
        return [value, *(inner for each in value.values() for inner in everything_in(each))]
    if isinstance(value, list):
        return [inner for each in value for inner in everything_in(each)]
    return [value]


class TestFiles:
    def test_each_board_has_its_file(self) -> None:
        made = {json.loads(text)["uid"]: name for name, text in FILES.items() if name.endswith(".json")}
        assert list(made) == list(UIDS)
        assert all(Path(name).parent.as_posix() == boards.BOARDS_FOLDER for name in made.values())

    def test_numbers_of_panels_are_their_own_and_of_their_key_alone(self) -> None:
        for board in BOARDS:
            numbers = [panel["id"] for panel in (*board["panels"], *panels_of(board)) if panel["type"] != "row"]
            numbers = list(dict.fromkeys(numbers))
            assert len(numbers) == len(list(panels_of(board))), board["uid"]
        assert number_of("banner") == 607_464 == BOARDS[0]["panels"][0]["id"], "links hold it: it never changes"

    def test_rows_and_panels_have_different_numbers(self) -> None:
        for board in BOARDS:
            numbers = Counter(panel["id"] for panel in board["panels"]) + Counter(
                panel["id"] for row in board["panels"] if row["type"] == "row" for panel in row["panels"]
            )
            assert set(numbers.values()) == {1}, board["uid"]


class TestPlace:
    @each_board
    def test_nothing_lies_on_anything(self, board: dict[str, Any]) -> None:
        folds = [panel for panel in board["panels"] if panel["type"] == "row"]
        for together in (board["panels"], *(fold["panels"] for fold in folds)):
            for one, other in combinations(together, 2):
                a, b = one["gridPos"], other["gridPos"]
                apart = (
                    a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
                    or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
                )  # fmt: skip
                assert apart, f"{one['title']} lies on {other['title']}"

    @each_board
    def test_it_is_on_the_grid_and_on_one_screen(self, board: dict[str, Any]) -> None:
        for panel in panels_of(board):
            grid = panel["gridPos"]
            assert grid["x"] >= 0
            assert grid["x"] + grid["w"] <= 24
        assert max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in open_panels(board)) <= 30
        assert len(open_panels(board)) <= 12
        assert all(row["collapsed"] for row in board["panels"] if row["type"] == "row")

    def test_the_overview_is_read_from_top_to_bottom(self) -> None:
        overview = next(board for board in BOARDS if board["uid"] == OVERVIEW)
        rows: dict[int, list[tuple[int, int]]] = {}
        for panel in open_panels(overview):
            rows.setdefault(panel["gridPos"]["y"], []).append((panel["gridPos"]["h"], panel["gridPos"]["w"]))
        banner, *told = rows.values()
        assert banner == [(2, 24)], "of one unit its text would be cut"
        assert [{h for h, _ in row} for row in told] == [{4}, {9}, {6}, {9}]
        assert [w for _, w in told[1]] == [16, 8]
        assert [w for _, w in told[3]] == [14, 10]


class TestManner:
    @each_board
    def test_colours_are_of_the_palette(self, board: dict[str, Any]) -> None:
        coloured = [each for each in everything_in(board) if isinstance(each, dict)]
        keys = ("color", "fixedColor", "fill", "iconColor")
        plain = {each[key] for each in coloured for key in keys if isinstance(each.get(key), str)} - {"dash", "dot"}
        assert plain <= PALETTE
        modes = {each["color"]["mode"] for each in coloured if isinstance(each.get("color"), dict)}
        assert modes <= {"fixed", "shades", "thresholds", "opacity"}, "other modes bring colours of their own"

    @pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])
    def test_a_level_is_a_word_too(self, board: dict[str, Any]) -> None:
        for panel in panels_of(board):
            for mapping in everything_in(panel["fieldConfig"]):
                if isinstance(mapping, dict) and mapping.get("color") in (manner.WARNING, manner.CRITICAL):
                    # A step colours a number, which says it itself.
                    assert "value" in mapping or mapping.get("text"), f"{panel['title']}: a colour says it alone"

    @each_board
    def test_every_panel_says_what_it_is(self, board: dict[str, Any]) -> None:
        for panel in panels_of(board):
            assert panel["type"] in KINDS
            assert len(panel["description"]) > 80, panel["title"]
            assert "**What to do:**" in panel["description"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            assert "_" not in panel["title"], f"{panel['title']} is no title for people"
            assert panel["datasource"]["uid"] == "${datasource}"
            assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])

    @each_board
    def test_a_gap_is_a_gap(self, board: dict[str, Any]) -> None:
        for panel in panels_of(board):
            if panel["type"] in {"timeseries", "state-timeline"}:
                assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False, panel["title"]

    @each_board
    def test_what_stands_on_every_board(self, board: dict[str, Any]) -> None:
        banner = board["panels"][0]
        assert "monitor_synthetic" in banner["targets"][0]["expr"]
        assert "SYNTHETIC" in json.dumps(banner["fieldConfig"])
        assert board["timezone"] == "America/New_York"
        first = board["templating"]["list"][0]
        assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
        to_boards = board["links"][0]
        assert to_boards["type"] == "dashboards"
        assert to_boards["keepTime"] is to_boards["includeVars"] is True
        assert set(to_boards["tags"]) <= set(board["tags"])
        assert not board["editable"]

    @each_board
    def test_alerts_are_marked_the_worst_first(self, board: dict[str, Any]) -> None:
        names = [mark["name"] for mark in board["annotations"]["list"]]
        assert names[:3] == ["To critical", "To warning", "Blind"]
        assert not any(mark["hide"] for mark in board["annotations"]["list"]), "each can be turned off on the board"

    def test_a_variable_of_several_values_stands_for_all_by_a_pattern(self) -> None:
        for board in BOARDS:
            for variable in board["templating"]["list"][1:]:
                assert variable["multi"] == variable["includeAll"]
                if variable["multi"]:
                    assert variable["allValue"] == ".*"
        for query in QUERIES:
            for name, operator in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"\$', query.expr):
                assert operator == "=~", f"{query.place}: {name}"

    def test_variables_depend_on_those_before_them(self) -> None:
        known: dict[str, list[str]] = {}
        for variable in VARIABLES:
            for used in re.findall(r"\$(\w+)", variable.selector):
                assert used in known.get(variable.board, []), f"{variable.name} asks for {used}"
            known.setdefault(variable.board, []).append(variable.name)

    def test_a_variable_of_two_boards_asks_for_one_thing(self) -> None:
        asked: dict[str, set[tuple[str, str]]] = {}
        for variable in VARIABLES:
            asked.setdefault(variable.name, set()).add((variable.selector, variable.label))
        assert {name: of for name, of in asked.items() if len(of) > 1} == {}, "links between boards carry its values"

    def test_tenors_of_auctions_are_not_those_of_cds(self) -> None:
        of_auctions = [query for query in QUERIES if "market_auction_" in query.expr]
        assert of_auctions
        assert not [query.place for query in of_auctions if "$cds_tenor" in query.expr]

    def test_links_of_alerts_set_variables_of_their_board(self) -> None:
        have = {(variable.board, variable.name) for variable in VARIABLES}
        addresses = [rule["annotations"].get("dashboard_url", "") for rule in alerts()]
        found = [
            (uid, name)
            for address in addresses
            for uid in re.findall(r"/d/([\w-]+)", address)
            for name in re.findall(r"var-(\w+)=", address)
        ]
        assert {uid for uid, _ in found} == set(BOARD_OF_SEGMENT.values())
        assert set(found) <= have

    def test_every_variable_is_there_and_used(self) -> None:
        for board in BOARDS:
            have = {variable["name"] for variable in board["templating"]["list"]} - {"datasource"}
            of_board = [v.selector for v in VARIABLES if v.board == board["uid"]]
            used = {name for query in queries_of(board) for name in re.findall(r'=~"\$(\w+)"', query.expr)}
            chained = {name for selector in of_board for name in re.findall(r"\$(\w+)", selector)}
            assert used <= have
            assert have <= used | chained


class TestLevels:
    """A colour that means a level is one that the monitor said."""

    def test_no_value_is_coloured_by_what_is_not_its_level(self) -> None:
        colours = {manner.WARNING, manner.CRITICAL}
        of_ages_and_counts = {
            "Coverage, alerts, age": "how many stand at the level", "Does alerting work?": "of the pipeline itself",
        }  # fmt: skip
        for board in BOARDS:
            for panel in panels_of(board):
                steps = [each for each in everything_in(panel["fieldConfig"]) if isinstance(each, dict)]
                coloured = any("value" in step and step.get("color") in colours for step in steps if "text" not in step)
                assert not coloured or panel["title"] in of_ages_and_counts, panel["title"]

    def test_bars_are_marked_by_their_level(self) -> None:
        for query in QUERIES:
            if query.panel["type"] == "bargauge" and "market_signal_level" in query.expr:
                assert "== 2" in query.expr
                assert query.panel["fieldConfig"]["overrides"], query.place
        marked = {query.title for query in QUERIES if query.panel["type"] == "bargauge" and '"◆ "' in query.expr}
        assert {"Highest since", "Issuers' shares against insurers' limits"} <= marked

    def test_numbers_are_of_now(self) -> None:
        for board in BOARDS:
            for panel in panels_of(board):
                if panel["type"] in {"stat", "bargauge", "table"}:
                    assert all(target["instant"] and not target.get("range") for target in panel["targets"])

    def test_every_threshold_of_spreads_is_drawn_beside_what_it_judges(self) -> None:
        spread = next(signal for signal in CATALOGUE if signal.name == "treasury_spread_32nds")
        panels: dict[str, set[str]] = {}
        for query in QUERIES:
            for row in re.findall(r'signal="treasury_spread_32nds", row="(\w+)"', query.expr):
                panels.setdefault(query.title, set()).add(row)
        assert panels == {"Bid-ask spread, issues with thresholds": {row.id for row in spread.thresholds}}


class TestQueries:
    @pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])
    def test_they_ask_for_what_there_is(self, board: dict[str, Any]) -> None:
        there = OWN | set(RECORDING) | OF_PROMETHEUS | OF_ALERTMANAGER
        for query in (*queries_of(board), *marks_of(board)):
            unknown = {name for name in metrics_in(query.expr) if base(name) not in there}
            assert not unknown, query.place

    def test_every_metric_is_on_a_board_or_has_a_reason_not_to_be(self) -> None:
        shown = {base(name) for query in QUERIES for name in metrics_in(query.expr)}
        assert OWN - shown - set(NOT_SHOWN) == set(), "on no board, and without a reason"
        assert shown & set(NOT_SHOWN) == set(), "not shown, and on a board"
        assert set(NOT_SHOWN) <= OWN, "reasons for what there is not"
        assert all(NOT_SHOWN.values())

    def test_every_query_is_understood_by_prometheus(self, tmp_path: Path) -> None:
        asked: list[Asked] = [*QUERIES, *MARKS]
        rules = [{"record": f"q:{i}", "expr": query.filled()} for i, query in enumerate(asked)]
        rules += [
            {"record": f"v:{i}", "expr": filled(v.selector, lambda _: ".*")} for i, v in enumerate(VARIABLES)
        ]  # fmt: skip
        file = tmp_path / "queries.yml"
        for rule in rules:
            rule["record"] = re.sub(r":(\d+)", r":n\1", rule["record"])
        file.write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": rules}]}))
        said = run(need("promtool"), "check", "rules", file)
        assert said.returncode == 0, said.stdout
        assert f"{len(rules)} rules found" in said.stdout

    def test_replicas_are_one(self) -> None:
        by_host = [query for query in QUERIES if "{{instance}}" in json.dumps(query.panel["targets"])]
        assert {query.title for query in by_host} == {
            "Memory, and restarts in 15 minutes", "Processor", "Open files",
        }  # fmt: skip
        of_replicas = re.compile(r"\b(max|min|sum|count|quantile)\b")
        assert all(of_replicas.search(query.expr) for query in QUERIES)


class TestSignals:
    @pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.name)
    def test_a_panel_shows_it_with_its_formula(self, signal: Any) -> None:
        panels = [
            panel
            for board in BOARDS
            for panel in panels_of(board)
            if any(signal.metric in metrics_in(target["expr"]) for target in panel["targets"])
            and f"`{signal.formula}`" in panel["description"]
        ]
        assert panels
        if signal.thresholds:
            runbook = Facts().links.runbook(signal.alert)
            assert any(link["url"] == runbook for panel in panels for link in panel.get("links") or [])

    @pytest.mark.parametrize("signal", [s for s in CATALOGUE if s.thresholds], ids=lambda signal: signal.name)
    def test_its_thresholds_are_drawn(self, signal: Any) -> None:
        drawn = [
            query
            for query in QUERIES
            if "market_signal_threshold" in query.expr and f'signal="{signal.name}"' in query.expr
        ]
        ranked = [
            panel
            for board in BOARDS
            for panel in panels_of(board)
            if panel["type"] in {"bargauge", "heatmap"}
            and any(signal.metric in metrics_in(target["expr"]) for target in panel["targets"])
        ]
        assert drawn or ranked

    def test_a_new_signal_follows_by_itself(self) -> None:
        repo = next(signal for signal in CATALOGUE if signal.name == "repo_tail_bp")
        new = replace(repo, name="repo_gloom_bp", title="Repo gloom")
        made = boards.dashboards(Facts((*CATALOGUE, new)))
        (board,) = [board for board in made if board["uid"] == "msm-repo"]
        (fold,) = [panel for panel in board["panels"] if panel["type"] == "row"]
        assert fold["title"] == "More signals"
        assert "Repo gloom" in [panel["title"] for panel in fold["panels"]]


class TestProvisioning:
    def test_the_data_source_is_the_one_that_boards_begin_with(self) -> None:
        (made,) = yaml.safe_load(FILES["grafana/provisioning/datasources/prometheus.yml"])["datasources"]
        assert made["type"] == "prometheus"
        for board in BOARDS:
            current = board["templating"]["list"][0]["current"]
            assert (current["text"], current["value"]) == (made["name"], made["uid"])

    def test_the_boards_are_found_where_they_are_mounted(self) -> None:
        (made,) = yaml.safe_load(FILES["grafana/provisioning/dashboards/boards.yml"])["providers"]
        mounts = dict(bind.split(":")[:2] for bind in compose()["services"]["grafana"]["volumes"])
        assert mounts[f"../{boards.BOARDS_FOLDER}"] == made["options"]["path"] == provisioning.MOUNTED
        assert mounts[f"../{provisioning.ROOT}"] == "/etc/grafana/provisioning"

    def test_what_it_takes_from_the_environment_is_there(self) -> None:
        asked = {name for text in FILES.values() if "apiVersion" in text for name in re.findall(r"\$\{(\w+)\}", text)}
        assert asked == {provisioning.URL_VARIABLE}
        assert compose()["services"]["grafana"]["environment"][provisioning.URL_VARIABLE] == "http://prometheus:9090"
