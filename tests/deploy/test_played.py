"""The compose file's producer and monitor, by a real broker: what is played is read, computed and shown."""

from __future__ import annotations

import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from subprocess import Popen

import pytest

from monitor.sinks import metrics
from monitor.streams import STREAMS
from tests.deploy.contained import Contained, free_port
from tests.deploy.files import DEPLOY, compose, image, seconds_of
from tests.kafka.broker import Broker, need_broker

SERVICES = compose(STORY_SPEED="300")["services"]
"""Told five times as fast as it is told to people."""
URL = "kafka://kafka:9092"
PATIENCE_SECONDS = 120.0


class Played:
    """The broker, the monitor and the producer of the compose file.

    Args:
        bootstrap: of the broker, in place of the compose file's.
    """

    def __init__(self, bootstrap: str) -> None:
        self.port = free_port()
        self.contained = Contained(self.port)
        self._url = f"kafka://{bootstrap}"
        service = SERVICES["monitor"]
        (mounted,) = (each.split(":") for each in service["volumes"] if "/" in each.split(":")[0])
        text = (DEPLOY / mounted[0]).read_text(encoding="utf-8")
        assert URL in text
        settings = self.contained.add("monitor.toml", text.replace(URL, self._url))
        self._settings = {mounted[1]: settings}

    def start(self, service: str) -> Popen[str]:
        """Start a service by the image's entry command and its own."""
        words = [self._settings.get(word, word.replace(URL, self._url)) for word in SERVICES[service]["command"]]
        return self.contained.start([*image().command("ENTRYPOINT"), *words])

    def page(self, path: str) -> tuple[int, str]:
        """What the monitor answers; 0 while it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def value(self, series: str) -> float | None:
        """Of a series, as it stands on the page; None if it is not there."""
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.page("/metrics")[1], flags=re.MULTILINE)
        return float(found[1]) if found else None


@pytest.fixture
def played() -> Iterator[Played]:
    need_broker(own=True)
    broker = Broker()
    broker.start()
    made = Played(broker.bootstrap)
    yield made
    made.contained.discard()
    broker.discard()


def until(is_so: Callable[[], object], *processes: Popen[str]) -> None:
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        for each in processes:
            assert each.poll() is None, each.communicate()[0]
        assert time.monotonic() < ends_at, "it is not so in time"
        time.sleep(0.2)


def stop(process: Popen[str], service: str) -> str:
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=seconds_of(SERVICES[service]["stop_grace_period"]))
    assert process.returncode == 0, said
    assert "Traceback" not in said
    return said


@pytest.mark.timeout(600)  # half a minute on a quiet machine; and nothing of it can be cut short
def test_the_story_is_read_and_shown(played: Played) -> None:
    monitor = played.start("monitor")
    # Healthy before there is anything to read, for the producer waits for that; and not ready.
    until(played.contained.is_healthy, monitor)
    assert played.page("/-/ready")[0] == 503
    producer = played.start("producer")
    until(lambda: played.page("/-/ready")[0] == 200, monitor, producer)
    index, score = metrics.INDEX.scraped, metrics.SEGMENT_SCORE.scraped
    # What the story is about: dear new issues first, and it shows in the index.
    until(lambda: (played.value(f'{score}{{segment="newissue"}}') or 0) > 0.3, monitor, producer)
    until(lambda: (played.value(index) or 0) > 0.005, monitor, producer)
    for stream in STREAMS:
        assert (played.value(f'{metrics.EVENTS.scraped}{{stream="{stream}"}}') or 0) > 1_000
        assert not played.value(f'{metrics.LATE.scraped}{{stream="{stream}"}}')
    page = played.page("/metrics")[1]
    rejected = re.findall(rf"^{metrics.REJECTED.scraped}{{.*}} (\S+)$", page, flags=re.MULTILINE)
    assert not any(map(float, rejected))
    assert played.value('market_signal_level{instrument="SOFR",signal="repo_spread_bp"}') is not None
    assert "stopped before the end" in stop(producer, "producer")

    # Stopped and started anew, as for an upgrade, it goes on from its state: levels stand, nothing is read twice.
    seen = sum(played.value(f'{metrics.EVENTS.scraped}{{stream="{stream}"}}') or 0 for stream in STREAMS)
    stop(monitor, "monitor")
    monitor = played.start("monitor")
    until(lambda: played.page("/-/ready")[0] == 200, monitor)
    until(lambda: (played.value(index) or 0) > 0.005, monitor)
    again = sum(played.value(f'{metrics.EVENTS.scraped}{{stream="{stream}"}}') or 0 for stream in STREAMS)
    assert seen <= again < 1.2 * seen
    stop(monitor, "monitor")


def test_the_producer_s_command_is_understood() -> None:
    contained = Contained(free_port())
    try:
        command = [*image().command("ENTRYPOINT"), *SERVICES["producer"]["command"], "--at-once"]
        code, said = contained.run(command)
    finally:
        contained.discard()
    assert code == 2
    assert "--speed and --at-once exclude each other" in said  # so the words before were understood
