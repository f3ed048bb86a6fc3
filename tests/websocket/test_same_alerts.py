"""What `produce` serves as a feed raises, in a `run` that reads it, the alerts of its replay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from monitor.produce.feeds import StoryFeed
from monitor.produce.run import produce
from monitor.produce.websocket import WebSocketTarget
from tests.kafka.exactly_once.unbroken import State
from tests.kafka.test_same_alerts import STORY
from tests.test_replay import said

ROOT: Final = Path(__file__).parents[2]
PATIENCE_SECONDS: Final = 90.0
CONFIG: Final = """\
[http]
metrics_port = 0
page_port = 0
[log]
format = "json"
[run]
state = "{state}"
begin = {begin}
[sources.feed]
kind = "websocket"
url = "{url}"
sequence = "seq"
"""


def test_a_run_on_a_feed_that_is_served_raises_the_alerts_of_the_replay(tmp_path: Path) -> None:
    _, expected, _ = said([STORY.all_at_once()], begin=STORY.first_tick)
    assert {each.segment for each in expected} == {"repo", "treasury"}
    config, log, state = tmp_path / "run.toml", tmp_path / "run.log", tmp_path / "state"
    heard: list[str] = []
    target = WebSocketTarget("ws://127.0.0.1:0", say=heard.append, stop=threading.Event())
    begin = datetime.fromtimestamp(STORY.first_tick, UTC).isoformat()
    config.write_text(CONFIG.format(state=state, begin=begin, url=target.url))
    with log.open("wb") as written:
        monitor = subprocess.Popen(
            [sys.executable, "-m", "monitor", "run", "--config", str(config)],
            cwd=ROOT, stdout=written, stderr=written, stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        )  # fmt: skip
    try:
        produce(StoryFeed(STORY, at_once=True), target, threading.Event())
        # The feed stays open: what the monitor has of it is not at stake when it is asked to stop.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while log.read_text(errors="replace").count('"alert":') < len(expected) and time.monotonic() < deadline:
            time.sleep(0.1)
        monitor.send_signal(signal.SIGTERM)
        assert monitor.wait(30) == 0, log.read_text(errors="replace")[-3_000:]
    finally:
        target.close()
        monitor.kill()
        monitor.wait()
    assert State(state).transitions == sorted(msgspec.json.encode(each).decode() for each in expected)
    assert sum("reads the feed" in each for each in heard) == 1, "it was connected anew, and something may be lost"
