"""A feed as it is served, recorded by the real command, and replayed: the alerts are those of the story."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from monitor.produce.feeds import StoryFeed
from monitor.produce.run import produce
from monitor.produce.websocket import WebSocketTarget
from monitor.sinks.files import transition_line
from tests.kafka.test_same_alerts import STORY
from tests.recording.reading import read
from tests.test_replay import said

ROOT: Final = Path(__file__).parents[2]
CONFIG: Final = """\
[run]
begin = {begin}
[sources.feed]
kind = "websocket"
url = "{url}"
"""


def test_what_was_recorded_of_a_feed_raises_the_alerts_of_its_story(tmp_path: Path) -> None:
    _, transitions, _ = said([STORY.all_at_once()], begin=STORY.first_tick)
    config = tmp_path / "monitor.toml"
    target = WebSocketTarget("ws://127.0.0.1:0", say=print, stop=threading.Event())
    begin = datetime.fromtimestamp(STORY.first_tick, UTC).isoformat()
    config.write_text(CONFIG.format(begin=begin, url=target.url))

    def monitor(*args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "monitor", *args, "--config", str(config)],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        )  # fmt: skip

    with monitor("record", "--out", "recording") as recorder:
        try:
            done = produce(StoryFeed(STORY, at_once=True), target, threading.Event())
            # The recorder has it all, and what it has not taken in yet would be lost with it.
            while recorder.poll() is None and len(read(tmp_path / "recording")) < done.total:
                time.sleep(0.2)
            recorder.send_signal(signal.SIGTERM)
            told, _ = recorder.communicate(timeout=60)
        finally:
            recorder.kill()
            target.close()
    assert recorder.returncode == 0, told
    assert f"{done.total:,} events" in told
    with monitor("replay", "--recording", "recording", "--out", "out") as replay:
        told, _ = replay.communicate(timeout=120)
    assert replay.returncode == 0, told
    alerts = (tmp_path / "out" / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in alerts] == [
        json.loads(json.dumps(transition_line(each))) for each in transitions
    ]
