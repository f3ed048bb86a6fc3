"""The commands as a user meets them: real processes, their files, their exit codes, their words."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

COMMANDS = (
    "run", "replay", "record", "produce", "redrive", "map-check", "report", "signals", "history", "check-config",
    "generate",
)  # fmt: skip
SIGNALS_WITHIN_SECONDS = 40
"""10 are promised on a quiet machine; the machine of a test may be anything but quiet."""
STOPS_WITHIN_SECONDS = 5 + 3  # the default deadline, and the start and end of the interpreter


def monitor(
    *words: str, cwd: Path | None = None, stdin: bytes | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *words],
        cwd=cwd, input=stdin, capture_output=True, timeout=120, check=False, env=os.environ | (env or {}),
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def benchmark(value_date: str, rate: float, **more: object) -> dict[str, object]:
    event = {"ts": f"{value_date}T20:00:00Z", "instrument": "SOFR", "kind": "benchmark", "value_date": value_date}
    return event | {"rate": rate} | more


def ndjson(events: Sequence[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


IORB = ndjson(
    [
        {
            "ts": "2024-01-01T05:00:00Z",
            "series": "IORB",
            "value": "5.40",
            "unit": "percent",
            "effective_date": "2024-01-01",
        }
    ]
)
SOFR = ndjson([benchmark("2024-03-05", 5.31), benchmark("2024-03-06", 5.75), benchmark("2024-03-07", 5.32)])


class TestReplay:
    def test_a_spike_of_the_user_s_own_raises_its_alert(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "repo.ndjson.gz").write_bytes(gzip.compress(SOFR))
        (tmp_path / "in" / "reference.jsonl").write_bytes(IORB)
        done = monitor("replay", "in", "--out", "out", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        spread = [line for line in lines_of(tmp_path / "out" / "alerts.jsonl") if line["signal"] == "repo_spread_bp"]
        assert [(line["value_date"], line["from"], line["to"], line["value"]) for line in spread] == [
            ("2024-03-06", "calm", "critical", 35.0),
            ("2024-03-07", "critical", "calm", -8.0),
        ]
        assert spread[0]["alert"] == "RepoSpreadBp"
        assert spread[0]["ts"] == spread[0]["since"] == "2024-03-06T20:00:00Z"
        assert spread[0]["threshold"] == 30.0
        assert spread[0]["runbook"] == "/runbooks/RepoSpreadBp"
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        assert summary["events"] == {"repo": 3, "reference": 1}
        assert summary["first_event"] == "2024-01-01T05:00:00Z"
        assert (tmp_path / "out" / "rejects.jsonl").read_text() == ""

    def test_the_order_of_the_lines_and_of_the_inputs_is_no_matter(self, tmp_path: Path) -> None:
        shuffled = b"".join(reversed(SOFR.splitlines(keepends=True)))
        results = []
        for name, repo, order in (("a", SOFR, ("repo", "reference")), ("b", shuffled, ("reference", "repo"))):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "repo.ndjson").write_bytes(repo)
            (folder / "reference.ndjson").write_bytes(IORB)
            done = monitor("replay", *(f"{s}={s}.ndjson" for s in order), "--out", "out", cwd=folder)
            assert done.returncode == 0, done.stderr
            results.append(
                (pl.read_parquet(folder / "out" / "signals.parquet"), lines_of(folder / "out" / "alerts.jsonl"))
            )
        assert results[0][0].equals(results[1][0])
        assert results[0][1] == results[1][1]
        assert results[0][1]

    def test_standard_input(self, tmp_path: Path) -> None:
        (tmp_path / "reference.ndjson").write_bytes(IORB)
        done = monitor("replay", "repo=-", "reference=reference.ndjson", "--out", "out", cwd=tmp_path, stdin=SOFR)
        assert done.returncode == 0, done.stderr
        assert any(line["signal"] == "repo_spread_bp" for line in lines_of(tmp_path / "out" / "alerts.jsonl"))

    def test_bad_input_is_kept_apart_and_the_rest_counts(self, tmp_path: Path) -> None:
        bad = [b'{"ts":17637', b"\x00\xff\xfe", b'{"ts":1709668800,"instrument":"SOFR","rate":5}', b"", b'"x""x"']
        lines = SOFR.splitlines()
        mixed = [lines[0], *bad[:2], lines[1], *bad[2:], lines[2]]
        (tmp_path / "repo.ndjson").write_bytes(b"\n".join(mixed))
        done = monitor("replay", "repo=repo.ndjson", "--out", "out", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        rejects = lines_of(tmp_path / "out" / "rejects.jsonl")
        assert [(line["reason"], line["position"]) for line in rejects] == [
            ("not_json", "repo.ndjson:2"),
            ("not_utf8", "repo.ndjson:3"),
            ("timestamp_unit", "repo.ndjson:5"),
            ("blank_line", "repo.ndjson:6"),
            ("not_json", "repo.ndjson:7"),
        ]
        assert "reads as seconds" in str(rejects[2]["detail"])
        assert json.loads((tmp_path / "out" / "summary.json").read_text())["events"] == {"repo": 3}
        assert "5 events were refused" in done.stderr

    def test_a_carried_history_with_its_report(self, tmp_path: Path) -> None:
        done = monitor(
            "replay", "--history", "repo-2018-2025", "--from", "2019-09-10", "--to", "2019-09-30",
            "--report", "--out", "out",
            cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        signals = pl.read_parquet(tmp_path / "out" / "signals.parquet")
        assert signals["ts"].min() >= pl.Series(["2019-09-10"]).str.to_datetime(time_zone="UTC")[0]
        spike = signals.filter(
            pl.col("signal") == "repo_tail_bp",
            pl.col("value_date") == pl.date(2019, 9, 16),
            pl.col("level").is_not_null(),
        )
        assert spike.select("value", "level").row(0) == (217.0, "critical")
        assert "Repo tail SOFR: 217 bp" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "name either inputs, a --scenario, a --history or"),
            (("repo=x.ndjson", "--scenario", "calm"), "name either inputs, a --scenario, a --history or"),
            (("--history", "repo-2018-2025", "--scenario", "calm"), "name either inputs, a --scenario, a --history or"),
            (("--scenario", "nix"), "no scenario is called 'nix'; there is ai-debt-wave, calm, "),
            (("--scenario", "calm", "--from", "2020-01-01"), "--from and --to go with --history"),
            (("repo=gone.ndjson",), "gone.ndjson"),
            (("bonds=x.ndjson",), "bonds"),
            (("--history", "1929"), "no history is called '1929'; there is repo-2018-2025"),
            (("repo=x.ndjson", "--config", "gone.toml"), "gone.toml cannot be read"),
            (("--history", "repo-2018-2025", "--from", "2020-02-02", "--to", "2020-01-01"), "end before it begins"),
        ],
    )
    def test_a_bad_command_line_ends_with_2_and_a_sentence(
        self, tmp_path: Path, words: tuple[str, ...], said: str
    ) -> None:
        done = monitor("replay", *words, "--out", "out", cwd=tmp_path, env={"COLUMNS": "200"})
        assert done.returncode == 2
        assert said in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr

    def test_unreadable_input_ends_with_2(self, tmp_path: Path) -> None:
        (tmp_path / "repo.ndjson.gz").write_bytes(gzip.compress(SOFR)[:40])
        done = monitor("replay", "repo=repo.ndjson.gz", "--out", "out", cwd=tmp_path)
        assert done.returncode == 2
        assert "repo.ndjson.gz" in done.stderr
        assert "Traceback" not in done.stderr


class TestTheOtherCommands:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_help_teaches_with_an_example(self, command: str) -> None:
        done = monitor(command, "--help")
        assert done.returncode == 0
        assert "Example" in done.stdout
        assert f"stress-monitor {command}" in " ".join(done.stdout.split())

    def test_every_command_is_tried_here(self) -> None:
        listed = re.findall(r"^│ ([a-z][a-z-]*) ", monitor("--help").stdout, flags=re.MULTILINE)
        assert sorted(listed) == sorted(COMMANDS)

    def test_signals_for_machines(self) -> None:
        listed = json.loads(monitor("signals", "--json").stdout)
        assert {"repo_spread_bp", "repo_tail_bp", "repo_volume_busd"} <= {each["name"] for each in listed}
        tail = next(each for each in listed if each["name"] == "repo_tail_bp")
        assert tail["unit"] == "bp"
        assert tail["thresholds"][0]["critical"] == {"enter": 80, "exit": 60}

    def test_signals_for_people(self) -> None:
        shown = monitor("signals").stdout
        assert "repo_tail_bp" in shown
        assert "critical 80/60" in shown

    def test_history(self) -> None:
        assert "repo-2018-2025" in monitor("history").stdout

    def test_version(self) -> None:
        assert re.fullmatch(r"\d+\.\d+\.\d+\n", monitor("--version").stdout)

    def test_check_config_prints_what_is_in_force(self, tmp_path: Path) -> None:
        (tmp_path / "m.toml").write_text("[http]\nmetrics_port = 9500\n")
        done = monitor("check-config", "m.toml", cwd=tmp_path)
        assert done.returncode == 0
        assert json.loads(done.stdout)["http"] == {
            "host": "127.0.0.1", "metrics_port": 9500, "page_host": "127.0.0.1", "page_port": 8080, "token": None,
            "token_file": None, "allowed_hosts": [],
        }  # fmt: skip

    def test_check_config_says_where_it_is_wrong(self, tmp_path: Path) -> None:
        (tmp_path / "m.toml").write_text("[http]\nmetrics_port = 9500\nmetrics_prot = 1\n")
        done = monitor("check-config", "m.toml", cwd=tmp_path)
        assert done.returncode == 2
        assert "m.toml, line 3: http.metrics_prot: there is no such setting" in done.stderr


@contextmanager
def running(
    *words: str, env: dict[str, str] | None = None, cwd: Path | None = None, said: list[str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A monitor that runs on a free port, and its address; what it says before goes into `said`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "monitor", "run", *words],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd,
        env=os.environ | {"MONITOR_HTTP__METRICS_PORT": "0", "MONITOR_HTTP__PAGE_PORT": "0"} | (env or {}),
    )  # fmt: skip
    try:
        assert process.stderr is not None
        address = ""
        while not address:
            line = process.stderr.readline()
            if said is not None:
                said.append(line)
            assert line, "the monitor ended before it said where it is"
            found = re.search(r"(http://127\.0\.0\.1:\d+)/metrics", line)
            address = found[1] if found else ""
        yield process, address
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the monitor's own address
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_for(address: str, pattern: str, seconds: float) -> str:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        page = get(f"{address}/metrics")[1]
        if re.search(pattern, page, flags=re.MULTILINE):
            return page
        time.sleep(0.1)
    pytest.fail(f"{pattern} was not on the page within {seconds} s")


class TestRun:
    def test_first_signals_come_soon_and_ctrl_c_ends_it(self) -> None:
        with running() as (process, address):
            page = wait_for(address, r"^market_treasury_spread_32nds\{", SIGNALS_WITHIN_SECONDS)
            assert page.count("\nmarket_") >= 20
            assert get(f"{address}/-/healthy") == (200, "healthy\n")
            assert get(f"{address}/-/ready") == (200, "ready\n")
            assert set(re.findall(r"^monitor_source_info\{(.*)\} 1", page, flags=re.MULTILINE)) == {
                'kind="scenario",source="ai-debt-wave"'
            }
            assert 'monitor_source_state{source="ai-debt-wave",state="up"} 1.0' in page
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=STOPS_WITHIN_SECONDS)
        assert process.returncode == 0
        assert "Traceback" not in said

    def test_the_live_page_is_said_first_and_can_be_opened(self, tmp_path: Path) -> None:
        opened, browser = tmp_path / "opened", tmp_path / "browser"
        browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{opened}"\n')
        browser.chmod(0o755)
        said: list[str] = []
        with running("--open", env={"BROWSER": f"{browser} %s"}, said=said):
            (page,) = re.findall(r"^(http://127\.0\.0\.1:\d+/)  look here: the live page$", said[0].rstrip())
            assert "Market stress" in get(page)[1]
            ends_at = time.monotonic() + 10
            while not opened.exists() and time.monotonic() < ends_at:
                time.sleep(0.05)
            assert opened.read_text() == page

    def test_the_spike_of_september_2019_as_it_happened(self) -> None:
        words = ("--history", "repo-2018-2025", "--from", "2019-09-16", "--to", "2019-09-18", "--speed", "100000")
        with running(*words) as (process, address):
            page = wait_for(address, r'^market_repo_spread_bp\{instrument="SOFR"\} 315\.0', 20)
            assert 'market_repo_tail_bp{instrument="SOFR"} 375.0' in page
            assert 'market_signal_level{instrument="SOFR",signal="repo_spread_bp"} 2.0' in page
            assert 'market_alert_level{alert="RepoTailBp"} 2.0' in page
            assert 'market_segment_level{segment="repo"} 2.0' in page
            assert 'monitor_source_info{kind="history",source="repo-2018-2025"} 1.0' in page
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=STOPS_WITHIN_SECONDS)
        assert process.returncode == 0
        assert '"alert": "RepoTailBp", "to": "critical"' in said

    def test_a_signal_while_it_starts_ends_it_too(self) -> None:
        with running() as (process, _):
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=STOPS_WITHIN_SECONDS)
        assert process.returncode == 0
        assert "Traceback" not in said

    def test_a_port_in_use_is_said(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            done = monitor("run", env={"MONITOR_HTTP__METRICS_PORT": str(taken.getsockname()[1]), "COLUMNS": "200"})
            other = {"MONITOR_HTTP__METRICS_PORT": "0", "MONITOR_HTTP__PAGE_PORT": str(taken.getsockname()[1])}
            page = monitor("run", env=other | {"COLUMNS": "200"})
        assert page.returncode == done.returncode == 2
        assert "is another monitor running?" in done.stderr
        assert "MONITOR_HTTP__PAGE_PORT" in page.stderr
        assert "Traceback" not in done.stderr + page.stderr

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--scenario", "calm", "--history", "repo-2018-2025"), "name a --scenario or a --history, not both"),
            (("--scenario", "nix"), "no scenario is called 'nix'; there is ai-debt-wave, calm, "),
            (("--history", "1929"), "no history is called '1929'; there is repo-2018-2025"),
            (("--scenario", "calm", "--speed", "0"), "scenario.speed: Input should be greater than 0"),
            (("--config", "gone.toml"), "gone.toml cannot be read"),
        ],
    )
    def test_a_bad_command_line_ends_with_2_and_a_sentence(self, words: tuple[str, ...], said: str) -> None:
        done = monitor(
            "run", *words, env={"COLUMNS": "200", "MONITOR_HTTP__METRICS_PORT": "0", "MONITOR_HTTP__PAGE_PORT": "0"}
        )
        assert done.returncode == 2
        assert said in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr


CALM = ("--scenario", "calm", "--speed", "60")
BEGUN = r"^monitor_tick_duration_seconds_count [1-9]"


class TestState:
    def test_a_story_that_was_killed_or_terminated_goes_on_and_one_stopped_by_hand_begins_anew(
        self, tmp_path: Path
    ) -> None:
        state = str(tmp_path / "state")
        starts = []
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            begin: list[str] = []
            with running(*CALM, "--state", state, said=begin) as (process, address):
                wait_for(address, BEGUN, SIGNALS_WITHIN_SECONDS)
                until = time.monotonic() + SIGNALS_WITHIN_SECONDS
                while not list((tmp_path / "state").glob("*.bars")) and time.monotonic() < until:
                    time.sleep(0.05)
                process.send_signal(number)
                _, said = process.communicate(timeout=STOPS_WITHIN_SECONDS)
            assert process.returncode == (-number if number == signal.SIGKILL else 0), said
            assert "Traceback" not in said
            starts.append("it goes on where it was killed" in " ".join("".join(begin).split()))
            assert ("from 2026-05-11 09:00:00 New York" in " ".join("".join(begin).split())) == (not starts[-1])
            left = bool(list((tmp_path / "state").glob("*.bars")))
            assert left == (number != signal.SIGINT)
        assert starts == [False, True, True, False]

    def test_two_processes_on_one_state(self, tmp_path: Path) -> None:
        state = str(tmp_path / "state")
        with running(*CALM, "--state", state):
            done = monitor(
                "run",
                *CALM,
                "--state",
                state,
                env={"COLUMNS": "200", "MONITOR_HTTP__METRICS_PORT": "0", "MONITOR_HTTP__PAGE_PORT": "0"},
            )
        assert done.returncode == 2
        assert "is in use by another monitor" in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr

    def test_a_run_goes_on_from_what_a_replay_left(self, tmp_path: Path) -> None:
        (tmp_path / "repo.ndjson").write_bytes(SOFR)
        (tmp_path / "reference.ndjson").write_bytes(IORB)
        words = ("repo=repo.ndjson", "reference=reference.ndjson", "--out", "out", "--state", "state")
        done = monitor("replay", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        again = monitor("replay", *words, cwd=tmp_path, env={"COLUMNS": "200"})
        assert again.returncode == 2
        assert "state holds a state already: name a new folder, or remove it" in again.stderr
        config = tmp_path / "m.toml"
        config.write_text(
            "[sources.trades]\nkind = 'file'\npath = 'repo.ndjson'\nstream = 'repo'\n"
            "[sources.policy]\nkind = 'file'\npath = 'reference.ndjson'\nstream = 'reference'\n"
        )
        with running("--config", "m.toml", "--state", "state", cwd=tmp_path) as (process, address):
            page = wait_for(
                address, r'^monitor_source_state\{source="trades",state="ended"\} 1', SIGNALS_WITHIN_SECONDS
            )
            assert 'market_repo_spread_bp{instrument="SOFR"} -8.0' in page, "it shows what stood"
            for stream, events in (("repo", SOFR), ("reference", IORB)):
                counted = f'monitor_events_total{{stream="{stream}"}} {float(len(events.splitlines()))}'
                assert counted in page, "what the replay counted is not read, or counted, again"
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=STOPS_WITHIN_SECONDS)
        assert process.returncode == 0
        other = monitor("run", *CALM, "--state", "state", cwd=tmp_path, env={"COLUMNS": "300"})
        assert other.returncode == 2
        assert "state holds the state of live sources or files, and this is the scenario calm with seed" in " ".join(
            other.stderr.split()
        )

    def test_files_read_live_raise_the_alerts_of_their_replay(self, tmp_path: Path) -> None:
        (tmp_path / "repo.ndjson").write_bytes(SOFR)
        (tmp_path / "reference.ndjson").write_bytes(IORB)
        (tmp_path / "m.toml").write_text(
            "[sources.trades]\nkind = 'file'\npath = 'repo.ndjson'\nstream = 'repo'\n"
            "[sources.policy]\nkind = 'file'\npath = 'reference.ndjson'\nstream = 'reference'\n"
        )
        with running("--config", "m.toml", cwd=tmp_path) as (process, address):
            page = wait_for(address, r'^market_repo_spread_bp\{instrument="SOFR"\} -8\.0', SIGNALS_WITHIN_SECONDS)
            assert 'market_alert_level{alert="RepoSpreadBp"} 0.0' in page
            assert 'monitor_source_info{kind="file",source="trades"} 1.0' in page
            process.send_signal(signal.SIGTERM)
            rest, said = process.communicate(timeout=STOPS_WITHIN_SECONDS)
        assert process.returncode == 0
        assert "RepoSpreadBp" in rest + said
