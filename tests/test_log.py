"""What a process says on standard error: words on a terminal, JSON lines otherwise; and its progress bar."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog
from rich.console import Console

from monitor import log
from monitor.progress import ReplayProgress

SCRIPT = """
import logging, sys
from monitor import log
import structlog
log.configure(sys.argv[1], sys.argv[2])
ours, of_a_library = structlog.get_logger("ours"), logging.getLogger("a.library")
ours.debug("a detail")
ours.info("an alert: 100 % {x}", level_of="critical", value=217.5)
ours.warning("refused")
of_a_library.info("started")
of_a_library.warning("odd %s", "request")
secret = "swordfish"
try:
    raise RuntimeError("it broke")
except RuntimeError:
    ours.exception("failed")
    of_a_library.exception("failed too")
print("standard output is for results")
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def said(level: str, format_: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, level, format_], capture_output=True, check=True, timeout=60, text=True
    )
    assert done.stdout == "standard output is for results\n"
    return done.stderr


@pytest.mark.parametrize("format_", ["auto", "json"])
def test_json_lines_where_there_is_no_terminal(format_: str) -> None:
    lines = [json.loads(line) for line in said("info", format_).splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("an alert: 100 % {x}", "info"),
        ("refused", "warning"),
        ("odd request", "warning"),
        ("failed", "error"),
        ("failed too", "error"),
    ]
    assert lines[0]["value"] == 217.5
    assert lines[0]["level_of"] == "critical"
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])
    for line in lines[3:]:
        [error] = line["exception"]
        assert (error["exc_type"], error["exc_value"]) == ("RuntimeError", "it broke")


def test_text_on_request() -> None:
    text = said("info", "text")
    assert re.search(
        r"^\d\d:\d\d:\d\d \[info +\] an alert: 100 % \{x\} +level_of=critical value=217\.5$", text, re.MULTILINE
    )
    assert re.search(r"^\d\d:\d\d:\d\d \[warning +\] odd request", text, re.MULTILINE)
    assert "RuntimeError: it broke" in text
    assert "\x1b[" not in text, "no colours in a file"
    assert not text.lstrip().startswith("{")


def test_text_on_a_terminal() -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, "info", "auto"], stderr=slave, stdout=subprocess.DEVNULL)
    os.close(slave)
    text = b""
    try:
        while block := os.read(master, 65_536):
            text += block
    except OSError:  # its other end is closed: the process has ended
        pass
    os.close(master)
    assert process.wait(timeout=60) == 0
    assert b"an alert" in text
    assert b"\x1b[" in text
    assert b'{"' not in text


@pytest.mark.parametrize("format_", ["json", "text"])
def test_the_values_of_variables_are_not_told(format_: str) -> None:
    assert "swordfish" not in said("debug", format_).replace('secret = "swordfish"', "")


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["a detail", "an alert: 100 % {x}", "refused", "odd request", "failed", "failed too"]),
        ("warning", ["refused", "odd request", "failed", "failed too"]),
        ("error", ["failed", "failed too"]),
    ],
)
def test_levels(level: str, events: list[str]) -> None:
    assert [json.loads(line)["event"] for line in said(level, "json").splitlines()] == events


def test_every_level_that_can_be_set_is_known() -> None:
    for level in log.LEVELS:
        log.configure(level)  # type: ignore[arg-type]
        assert structlog.get_logger().bind().is_enabled_for(log.LEVELS[level])


class TestProgress:
    def test_nothing_is_shown_where_nobody_waits(self) -> None:
        out = io.StringIO()
        with ReplayProgress(Console(file=out)) as progress:
            progress.read("repo.ndjson", 1, 2)
            progress.evaluated(1_568_721_600)
        assert out.getvalue() == ""

    def test_a_terminal_shows_what_is_done(self) -> None:
        out = io.StringIO()
        with ReplayProgress(Console(file=out, force_terminal=True, width=100)) as progress:
            progress.read("repo.ndjson", 50, 100)
            progress.read("stdin", 50, None)
            progress.evaluated(1_568_721_600)
        assert "reading repo.ndjson" in out.getvalue()
        assert "reading stdin" in out.getvalue()
        assert "up to 2019-09-17" in out.getvalue()

    def test_a_file_s_name_is_no_markup(self) -> None:
        out = io.StringIO()
        with ReplayProgress(Console(file=out, force_terminal=True, width=100)) as progress:
            progress.read("[/bold]repo[red].ndjson", 1, 2)
        assert "reading [/bold]repo[red].ndjson" in out.getvalue()
