"""The settings: defaults, precedence, and for everything that is wrong a sentence with its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from monitor.alerts.rules import with_rules
from monitor.calendar import MarketCalendar
from monitor.config import ConfigError, Settings, load
from monitor.config.sections import FileSourceSettings
from monitor.signals import CATALOGUE
from monitor.signals.cds.parameters import CdsParameters
from monitor.signals.model import VALUE_COLUMNS, Signal
from monitor.signals.newissue.parameters import NewIssueParameters
from monitor.signals.thresholds import Edge, Hold, Notify, ThresholdRow

EXAMPLE = """
[http]
metrics_port = 9465

[log]
level = "debug"
format = "json"

[run]
stop_within_seconds = 2.5

[history]
first = 2020-03-02
last = 2020-03-31
speed = 21600

[calendar]
holidays = [2025-01-09, 2018-12-05]
business_days = [2025-01-11]

[calendar.early_closes]
2025-01-08 = 14:00:00

[calendar.flags]
2025-01-10 = "MC"

[repo]
alarmed_benchmarks = ["SOFR", "TGCR"]

[newissue]
themes = ["grid"]
most_issuers = 5
record_curve = [[0, 0], [0.5, 900], [1, 1500]]

[cds]
index_entities = ["CDX.NA.IG"]

[thresholds.repo_tail_bp.benchmark]
calm = 10
warning = { enter = 45, exit = 30 }
critical = { enter = 90 }
overrides = { Q = [70, 100], Y = [80, 120] }
notify = "desk"

[thresholds.repo_tail_bp.trades]
hold_in_minutes = 5
hold_out_minutes = 30
"""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("MONITOR_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "monitor.toml"


def of(file: Path, text: str, flags: dict[str, Any] | None = None) -> Settings:
    file.write_text(text, encoding="utf-8")
    return load(file, flags)


def wrong(file: Path, text: str, flags: dict[str, Any] | None = None) -> str:
    """What is said of a file's text, with the file's path left out."""
    with pytest.raises(ConfigError) as told:
        of(file, text, flags)
    return str(told.value).replace(str(file), "FILE")


def row_of(settings: Settings, signal: str, row: str) -> ThresholdRow:
    [found] = [r for s in settings.catalogue() if s.name == signal for r in s.thresholds if r.id == row]
    return found


def as_data(settings: Settings) -> Any:
    return json.loads(settings.model_dump_json())


class TestDefaults:
    def test_nothing_need_be_set(self, file: Path) -> None:
        settings = load()
        assert (settings.http.host, settings.http.metrics_port) == ("127.0.0.1", 9464)
        assert (settings.log.level, settings.log.format) == ("info", "auto")
        assert settings.run.stop_within_seconds == 5
        assert settings.history.name == "repo-2018-2025"
        assert as_data(of(file, "")) == as_data(settings)

    def test_without_settings_the_catalogue_is_the_default_one(self) -> None:
        assert [s.thresholds for s in load().catalogue()] == [s.thresholds for s in CATALOGUE]

    def test_every_setting_says_what_it_is(self) -> None:
        def undescribed(model: Any, name: str) -> list[str]:
            found = []
            for field, info in model.model_fields.items():
                inner = info.annotation
                if hasattr(inner, "model_fields"):
                    found += undescribed(inner, f"{name}.{field}")
                elif not info.description:
                    found.append(f"{name}.{field}")
            return found

        assert undescribed(Settings, "settings") == []


class TestPrecedence:
    def test_flags_over_environment_over_file_over_default(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        text = "[history]\nspeed = 3\nfirst = 2020-01-02\nlast = 2020-01-03\n[log]\nlevel = 'debug'"
        monkeypatch.setenv("MONITOR_HISTORY__SPEED", "4")
        monkeypatch.setenv("MONITOR_HISTORY__FIRST", "2020-01-01")
        settings = of(file, text, {"history": {"speed": 5.0}})
        assert settings.history.speed == 5
        assert settings.history.first == date(2020, 1, 1)
        assert settings.history.last == date(2020, 1, 3)
        assert settings.log.level == "debug"
        assert settings.log.format == "auto"

    def test_settings_of_one_table_come_from_several_places(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MONITOR_THRESHOLDS__REPO_TAIL_BP__BENCHMARK__CALM", "12")
        monkeypatch.setenv("MONITOR_CALENDAR__HOLIDAYS", '["2025-01-09"]')
        settings = of(file, "[thresholds.repo_tail_bp.benchmark]\ncalm = 11\nwarning = { enter = 50 }")
        row = row_of(settings, "repo_tail_bp", "benchmark")
        assert (row.calm, row.warning) == (12, Edge(50, 50))
        assert settings.calendar.holidays == {date(2025, 1, 9)}

    def test_what_the_segments_may_be_told(self, file: Path) -> None:
        text = "[newissue]\nthemes = ['grid']\nmost_names = 3\nrecord_curve = [[0, 0], [1, 1500]]\n"
        parameters = of(file, text + "[cds]\nindex_entities = ['CDX.NA.IG']").parameters()
        assert parameters.newissue == NewIssueParameters(
            themes=("grid",), most_names=3, record_curve=((0.0, 0.0), (1.0, 1_500.0))
        )
        assert parameters.cds == CdsParameters(("CDX.NA.IG",))

    def test_an_event_lasts_so_many_minutes(self, file: Path) -> None:
        settings = of(file, "[calendar]\nevents = [{ start = 2025-01-10T08:29:00-05:00, minutes = 20 }]")
        ((start, end),) = settings.calendar.user_dates().events
        assert (start, end - start) == (datetime(2025, 1, 10, 13, 29, tzinfo=UTC), timedelta(minutes=20))

    def test_variables_of_other_programs_are_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A container platform sets such for a service that is called `monitor`."""
        monkeypatch.setenv("MONITOR_PORT", "tcp://127.0.0.1:9464")
        monkeypatch.setenv("MONITOR_SERVICE_HOST", "127.0.0.1")
        assert as_data(load()) == as_data(Settings())


class TestWrong:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("\n[http]\nport = 3", "FILE, line 3: http.port: there is no such setting"),
            ("# a line\u2028separator\r\n[http]\r\nport = 3\r\n", "FILE, line 3: http.port: there is no such setting"),
            ("[nix]\na = 1", "FILE, line 1: nix: there is no such setting"),
            ("[http]\n# metrics_port = 1\nmetrics_port = 'abc'", "FILE, line 3: http.metrics_port: "),
            ("http.metrics_port = 65536", "FILE, line 1: http.metrics_port: Input should be less than or equal to "),
            ("[http]\nhost = ''", "FILE, line 2: http.host: "),
            ("[http]\nhost = 3", "FILE, line 2: http.host: Input should be a valid string"),
            ("http = 3", "FILE, line 1: http: "),
            ("[log]\nlevel = 'loud'", "FILE, line 2: log.level: Input should be 'debug', 'info', "),
            ("[run]\nstop_within_seconds = 0", "FILE, line 2: run.stop_within_seconds: Input should be greater than 0"),
            ("[run]\nstop_within_seconds = inf", "FILE, line 2: run.stop_within_seconds: Input should be a finite "),
            ("[history]\nspeed = nan", "FILE, line 2: history.speed: "),
            ("[history]\nspeed = inf", "FILE, line 2: history.speed: Input should be a finite number"),
            ("[history]\nfirst = '03/01/2020'", "FILE, line 2: history.first: Input should be a valid date"),
            (
                "[history]\nname = 'nix'",
                "FILE, line 1: history: no history is called 'nix'; there is repo-2018-2025, treasury-2019-2020",
            ),
            (
                "[http]\n[history]\nfirst = 2020-01-03\nlast = 2020-01-02",
                "FILE, line 2: history: the last day, 2020-01-02, is before the first, 2020-01-03",
            ),
            ("[repo]\nalarmed_benchmarks = ['SOFR', 'XX']", "FILE, line 2: repo.alarmed_benchmarks.1: "),
        ],
    )  # fmt: skip
    def test_a_setting(self, file: Path, text: str, told: str) -> None:
        said = wrong(file, text)
        assert said.startswith(told)
        assert "\n" not in said

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (
                "[calendar]\nholidays = [2020-01-02]\nbusiness_days = [2020-01-02]",
                "FILE, line 1: calendar: 2020-01-02 is given both as a holiday and as a business day.",
            ),
            ("[calendar]\nholidays = [\n2020-01-02,\n'foo']", "FILE, line 2: calendar.holidays.1: "),
            ("[calendar.flags]\n2020-01-02 = 'MX'", "FILE, line 1: calendar: The flag 'X' of 2020-01-02 is none"),
            ("[calendar.early_closes]\n2020-01-02 = 06:00:00", "FILE, line 1: calendar: The early close of 2020"),
            ("[calendar]\nevents = [{ start = 2025-01-10T08:29:00, minutes = 5 }]", "FILE, line 2: calendar.events.0."),
            ("[calendar]\nholidays = [1890-01-01]", "FILE, line 1: calendar: The calendar knows 1990-01-01 to "),
        ],
    )  # fmt: skip
    def test_a_date(self, file: Path, text: str, told: str) -> None:
        assert wrong(file, text).startswith(told)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[thresholds.repo_tail.benchmark]\ncalm = 1", "line 1: thresholds.repo_tail: no such signal; there "),
            ("[thresholds.'repo tail-bp'.x]\ncalm = 1", "line 1: thresholds.repo tail-bp: no such signal"),
            ("\n[thresholds.repo_tail_bp.b]\ncalm = 1", "line 2: thresholds.repo_tail_bp.b: no such row; there is b"),
            ("[thresholds.repo_wedge_bp.x]\ncalm = 1", "line 1: thresholds.repo_wedge_bp.x: no such row; there is no"),
            ("[thresholds.repo_tail_bp.benchmark]\nwarn = 1", "line 2: thresholds.repo_tail_bp.benchmark.warn: there"),
            (
                "[thresholds.repo_tail_bp.benchmark.warning]\nexit = 35",
                "line 1: thresholds.repo_tail_bp.benchmark.warning.enter: Field required",
            ),
            (
                "[thresholds.repo_tail_bp.benchmark]\nwarning = { enter = 80 }",
                "line 1: thresholds.repo_tail_bp.benchmark: threshold row benchmark (default): calm, warning and",
            ),
            (
                "[thresholds.repo_tail_bp.benchmark]\noverrides = { Q = [60, 50] }",
                "line 1: thresholds.repo_tail_bp.benchmark: threshold row benchmark (Q): calm, warning and critical",
            ),
            (
                "[thresholds.repo_tail_bp.benchmark]\noverrides = { X = [50, 60] }",
                "line 1: thresholds.repo_tail_bp.benchmark: threshold row benchmark: ['X'] is no calendar flag",
            ),
            (
                "[thresholds.repo_tail_bp.benchmark.warning]\nenter = 30\nexit = 35",
                "line 1: thresholds.repo_tail_bp.benchmark: threshold row benchmark: exit 35 is past enter 30",
            ),
            (
                "[thresholds.repo_tail_bp.benchmark]\nwarning = { enter = nan }",
                "line 2: thresholds.repo_tail_bp.benchmark.warning.enter: Input should be a finite number",
            ),
            (
                "[thresholds.repo_tail_bp.benchmark]\noverrides = { Q = [nan, 90] }",
                "line 2: thresholds.repo_tail_bp.benchmark.overrides.Q.0: Input should be a finite number",
            ),
            (
                "[thresholds.repo_tail_bp.trades]\nhold_in_minutes = -1",
                "line 2: thresholds.repo_tail_bp.trades.hold_in_minutes: Input should be greater than or equal to 0",
            ),
            ("[thresholds.repo_tail_bp.trades]\nnotify = 'all'", "line 2: thresholds.repo_tail_bp.trades.notify: "),
        ],
    )  # fmt: skip
    def test_a_threshold(self, file: Path, text: str, told: str) -> None:
        assert wrong(file, text).startswith(f"FILE, {told}")

    def test_all_that_is_wrong_is_told_at_once(self, file: Path) -> None:
        said = wrong(file, "[http]\nmetrics_port = 9.5\n[log]\nformat = 'x'\n[run]\nstop_within_seconds = -1")
        assert [line.split(": ")[:2] for line in said.splitlines()] == [
            ["FILE, line 2", "http.metrics_port"],
            ["FILE, line 4", "log.format"],
            ["FILE, line 6", "run.stop_within_seconds"],
        ]

    @pytest.mark.parametrize(
        ("text", "line"), [("[http]\nmetrics_port 3", 2), ("[http", 1), ("a = 1\n[b]\n[b]\n", 3), ("a = 1\nb = x", 2)]
    )
    def test_a_file_that_is_no_toml(self, file: Path, text: str, line: int) -> None:
        said = wrong(file, text)
        assert said.startswith("FILE: ")
        assert f"line {line}" in said

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "latin.toml").write_bytes(b"a = '\xfc'")
        for name in ("none.toml", "latin.toml", "."):
            with pytest.raises(ConfigError, match="cannot be read: ") as told:
                load(tmp_path / name)
            assert str(tmp_path / name) in str(told.value)

    def test_a_variable_is_named_and_not_the_file(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MONITOR_HTTP__METRICS_PORT", "abc")
        monkeypatch.setenv("MONITOR_CALENDAR__HOLIDAYS", '["2025-01-09", "x"]')
        said = wrong(file, "[http]\nmetrics_port = 9465\n[log]\nlevel = 'loud'")
        assert [line.partition(" Input")[0] for line in said.splitlines()] == [
            "MONITOR_HTTP__METRICS_PORT: http.metrics_port:",
            "FILE, line 4: log.level:",
            "MONITOR_CALENDAR__HOLIDAYS: calendar.holidays.1:",
        ]

    def test_a_variable_that_names_no_setting(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MONITOR_HTTP__PORT", "3")
        assert wrong(file, "[http]\n") == "MONITOR_HTTP__PORT: http.port: there is no such setting"

    @pytest.mark.parametrize(
        ("name", "value"),
        [("MONITOR_CALENDAR__HOLIDAYS", "2025-01-09"), ("MONITOR_HTTP", "{"), ("monitor_repo", "['SOFR']")],
    )
    def test_a_variable_that_ought_to_be_json(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match=rf"^{name}: lists and tables are written as JSON, not so: \w+"):
            load()

    def test_a_flag_is_not_looked_for_in_the_file(self, file: Path) -> None:
        said = wrong(file, "[history]\nspeed = 3", {"history": {"speed": -1.0}})
        assert said == "history.speed: Input should be greater than 0"

    def test_without_a_file_the_setting_is_named(self) -> None:
        with pytest.raises(
            ConfigError, match=r"^history: no history is called 'nix'; there is repo-2018-2025, treasury-2019-2020$"
        ):
            load(flags={"history": {"name": "nix"}})


class TestWhatIsRun:
    def test_without_settings_a_scenario_is_played_and_nothing_is_kept(self) -> None:
        settings = load()
        assert (settings.run.plays, settings.run.state, settings.sources) == ("scenario", None, {})
        assert (settings.scenario.name, settings.scenario.seed, settings.scenario.speed) == (
            "ai-debt-wave", None, None,
        )  # fmt: skip

    def test_all_of_it_can_be_set(self, file: Path) -> None:
        settings = of(
            file,
            "[run]\nplays = 'history'\nstate = 'var/s'\n"
            "[scenario]\nname = 'calm'\nseed = 7\nspeed = 90\n"
            "[supervisor]\nfirst_wait_seconds = 1\nlongest_wait_seconds = 5\nqueued_records = 10\n"
            "[sources.mine]\nkind = 'file'\npath = 'q.ndjson'\nstream = 'treasury'\n"
            "[sources.mixed]\nkind = 'file'\npath = 'all.ndjson'\n",
        )
        assert (settings.run.plays, settings.run.state) == ("history", Path("var/s"))
        assert settings.scenario.model_dump() == {"name": "calm", "seed": 7, "speed": 90}
        assert settings.supervisor.model_dump() == {
            "first_wait_seconds": 1, "longest_wait_seconds": 5, "queued_records": 10,
        }  # fmt: skip
        files = {name: each for name, each in settings.sources.items() if isinstance(each, FileSourceSettings)}
        assert {name: (str(each.path), each.stream) for name, each in files.items()} == {
            "mine": ("q.ndjson", "treasury"),
            "mixed": ("all.ndjson", None),
        }

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[scenario]\nname = 'nix'", "FILE, line 1: scenario: no scenario is called 'nix'; there is ai-debt"),
            ("[scenario]\nspeed = 0", "FILE, line 2: scenario.speed: Input should be greater than 0"),
            ("[scenario]\nspeed = inf", "FILE, line 2: scenario.speed: Input should be a finite number"),
            ("[run]\nplays = 'film'", "FILE, line 2: run.plays: Input should be 'scenario' or 'history'"),
            (
                "[sources.x]\nkind = 'fax'\npath = 'a'",
                "FILE, line 2: sources.x.kind: Input should be one of 'file', 'kafka'",
            ),
            ("[sources.x]\nkind = 'file'", "FILE, line 1: sources.x.path: Field required"),
            ("[sources.x]\nkind = 'file'\npath = 'a'\nstream = 'gold'", "FILE, line 4: sources.x.stream: Input"),
            ("[supervisor]\nqueued_records = 0", "FILE, line 2: supervisor.queued_records: Input should be"),
            (
                "[supervisor]\nfirst_wait_seconds = 60",
                "FILE, line 1: supervisor: first_wait_seconds must not be more than longest_wait_seconds",
            ),
        ],
    )
    def test_what_is_wrong_is_said_with_its_line(self, file: Path, text: str, said: str) -> None:
        assert wrong(file, text).startswith(said)


class TestThresholds:
    def test_what_is_given_takes_the_place_of_the_default(self, file: Path) -> None:
        settings = of(file, EXAMPLE)
        default = row_of(load(), "repo_tail_bp", "benchmark")
        row = row_of(settings, "repo_tail_bp", "benchmark")
        assert (row.calm, row.warning, row.critical) == (10, Edge(45, 30), Edge(90, 90))
        assert (dict(row.overrides), row.notify) == ({"Q": (70, 100), "Y": (80, 120)}, Notify.DESK)
        assert (row.hold_in, row.hold_out, row.reason) == (default.hold_in, default.hold_out, default.reason)
        trades, trades_default = (row_of(s, "repo_tail_bp", "trades") for s in (settings, load()))
        assert (trades.hold_in, trades.hold_out) == (Hold(seconds=300), Hold(seconds=1_800))
        assert (trades.warning, trades.critical) == (trades_default.warning, trades_default.critical)
        others = [(s.name, s.title, s.headline) for s in settings.catalogue()]
        assert others == [(s.name, s.title, s.headline) for s in CATALOGUE]
        assert row_of(settings, "repo_jump_bp", "trades") == row_of(load(), "repo_jump_bp", "trades")

    def test_an_exit_that_is_not_given_is_the_enter(self, file: Path) -> None:
        row = row_of(of(file, "[thresholds.repo_tail_bp.benchmark.warning]\nenter = 50"), "repo_tail_bp", "benchmark")
        assert row.warning == Edge(50, 50)

    def test_they_are_what_values_are_held_against(self, file: Path) -> None:
        settings = of(file, EXAMPLE)
        for name, warning in (("repo_tail_bp", 45), ("repo_dispersion_bp", 15)):
            [signal] = [signal for signal in settings.catalogue() if signal.name == name]
            held = with_rules(_values(signal, ["SOFR", "TGCR", "BGCR"]), signal, MarketCalendar())
            assert held["row"].to_list() == ["benchmark", "benchmark", None], "alarmed_benchmarks says which"
            assert held["warning_enter"].to_list()[:2] == [warning, warning]

    @pytest.mark.parametrize("hold", ["hold_in_minutes", "hold_out_minutes"])
    def test_minutes_of_hold_for_published_values_are_refused(self, file: Path, hold: str) -> None:
        said = wrong(file, f"\n[thresholds.repo_tail_bp.benchmark]\n{hold} = 10")
        assert said == (
            "FILE, line 2: thresholds.repo_tail_bp.benchmark: published values come one a day and are held by prints, "
            "so no minutes can be set"
        )
        of(file, f"[thresholds.repo_tail_bp.benchmark]\n{hold} = 0")
        of(file, f"[thresholds.repo_specialness_bp.collateral]\n{hold} = 10")

    @pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.name)
    def test_what_settings_allow_the_evaluator_can_use(self, file: Path, signal: Signal) -> None:
        """Minutes are refused for exactly those rows that the evaluator would refuse for published values."""
        for row in signal.thresholds:
            try:
                settings = of(file, f"[thresholds.{signal.name}.{row.id}]\nhold_in_minutes = 7")
            except ConfigError:
                continue
            [changed] = [each for each in settings.catalogue() if each.name == signal.name]
            if any(view.window.by_print for view in signal.over):
                with_rules(_values(changed, ["SOFR", "TGCR", "GCF"]), changed, MarketCalendar())
            assert row_of(settings, signal.name, row.id).hold_in == Hold(seconds=420)


def _values(signal: Signal, instruments: list[str]) -> pl.DataFrame:
    """Published values of these instruments."""
    labels = {label: pl.lit(None, pl.String) for label in signal.labels}
    frame = pl.DataFrame({signal.labels[0]: instruments}).select(
        **(labels | {signal.labels[0]: pl.col(signal.labels[0])}),
        tick=pl.lit(1_568_721_600, pl.Int64),
        value_date=pl.lit(date(2019, 9, 17)),
        blind=pl.lit(value=False),
        by_print=pl.lit(value=True),
        is_partial=pl.lit(value=False),
        is_over=pl.lit(value=False),
        value=pl.lit(20.0),
        graded=pl.lit(None, pl.Float64),
    )
    attributes = {name: pl.lit(None, kind) for name, kind in signal.attributes.items()}
    return frame.with_columns(**attributes).with_columns(row=signal.row).select(*signal.labels, *VALUE_COLUMNS)


class TestInForce:
    def test_the_settings_in_force_come_back_as_they_were(self, file: Path) -> None:
        settings = of(file, EXAMPLE)
        printed = as_data(settings)
        again = load(flags=printed)
        assert as_data(again) == printed
        assert again.catalogue()[1].thresholds == settings.catalogue()[1].thresholds
        assert settings.calendar.early_closes == again.calendar.early_closes == {date(2025, 1, 8): time(14)}
        assert settings.calendar.flags == again.calendar.flags == {date(2025, 1, 10): "MC"}
        assert settings.calendar.user_dates() == again.calendar.user_dates()

    def test_they_are_printed_in_the_same_order_each_time(self, file: Path) -> None:
        days = ", ".join(f"2025-02-{day:02}" for day in range(20, 2, -1))
        file.write_text(f"[calendar]\nholidays = [{days}]")
        script = "import sys, pathlib, monitor.config as c; print(c.load(pathlib.Path(sys.argv[1])).model_dump_json())"
        printed = {
            subprocess.run(
                [sys.executable, "-c", script, str(file)], capture_output=True, check=True,
                env=os.environ | {"PYTHONHASHSEED": seed},
            ).stdout
            for seed in ("1", "2")
        }  # fmt: skip
        assert len(printed) == 1
        holidays = json.loads(printed.pop())["calendar"]["holidays"]
        assert holidays == sorted(holidays)
        assert len(holidays) == 18

    def test_settings_do_not_change(self) -> None:
        settings = load()
        with pytest.raises(ValueError, match="frozen"):
            settings.http.metrics_port = 1  # type: ignore[misc]


def test_an_override_below_the_row_s_exit_is_refused(tmp_path: Path) -> None:
    """At 22 it would be entered, and left at once: the exit is 25."""
    file = tmp_path / "m.toml"
    file.write_text("[thresholds.repo_tail_bp.benchmark]\noverrides = { Q = [20, 80] }\n")
    with pytest.raises(ConfigError, match=r"line 1: .*\(Q\): exit 25 is past enter 20"):
        load(file)


class TestLivePage:
    TOKEN = "a-token-of-the-desk"  # noqa: S105 - made up

    def test_it_is_on_loopback_and_wants_no_token(self, file: Path) -> None:
        http = of(file, "").http
        assert (http.page_host, http.page_port, http.page_token()) == ("127.0.0.1", 8080, None)

    @pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "::", "stress.example"])  # noqa: S104
    def test_beyond_this_machine_it_wants_a_token(self, file: Path, host: str) -> None:
        said = wrong(file, f'[http]\npage_host = "{host}"')
        assert f"page_host is {host}, beyond this machine: give token_file, or a token" in said
        assert of(file, f'[http]\npage_host = "{host}"\ntoken = "{self.TOKEN}"').http.page_token() == self.TOKEN

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
    def test_loopback_has_several_names(self, file: Path, host: str) -> None:
        assert of(file, f'[http]\npage_host = "{host}"').http.page_host == host

    def test_a_token_of_a_file(self, file: Path, tmp_path: Path) -> None:
        token = tmp_path / "token"
        http = of(file, f'[http]\ntoken_file = "{token}"').http
        with pytest.raises(ValueError, match=r"token_file: .*token cannot be read"):
            http.page_token()
        token.write_text("short\n")
        with pytest.raises(ValueError, match="holds less than 16 characters"):
            http.page_token()
        token.write_text(f"{self.TOKEN}\n")
        assert http.page_token() == self.TOKEN

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (f'token = "{TOKEN}"\ntoken_file = "x"', "give token or token_file, not both"),
            ('token = "short"', "at least 16"),
            ('allowed_hosts = ["http://stress.example"]', "is no name of a host"),
            ('allowed_hosts = ["stress.example:8080"]', "is no name of a host"),
        ],
    )
    def test_what_cannot_work_is_refused(self, file: Path, text: str, said: str) -> None:
        assert said in wrong(file, f"[http]\n{text}")

    def test_the_token_is_not_shown(self, file: Path) -> None:
        assert self.TOKEN not in of(file, f'[http]\ntoken = "{self.TOKEN}"').model_dump_json()
