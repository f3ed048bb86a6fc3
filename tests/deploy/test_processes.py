"""The image's entry command and health check as processes: healthy, stopped in time, told when it is down."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from subprocess import Popen

import pytest

from monitor.healthy import unhealthy_because
from tests.deploy.contained import Contained, can_be_locked_up, free_port
from tests.deploy.files import compose, image, seconds_of

START_SECONDS = seconds_of("60s")
STOP_SECONDS = seconds_of(compose()["services"]["monitor"]["stop_grace_period"])


@pytest.fixture
def contained() -> Iterator[Contained]:
    made = Contained(free_port())
    yield made
    made.discard()


def wait_until_healthy(contained: Contained, process: Popen[str]) -> None:
    until = time.monotonic() + START_SECONDS
    while not contained.is_healthy():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until, "it is not healthy in the time that the image gives it"
        time.sleep(0.2)


def test_the_image_gives_that_time() -> None:
    assert f"--start-period={START_SECONDS:.0f}s" in image().last("HEALTHCHECK")


def test_it_becomes_healthy_and_ends_in_time_when_it_is_stopped(contained: Contained) -> None:
    assert not contained.is_healthy()
    process = contained.start([*image().command("ENTRYPOINT"), *image().command("CMD")])
    wait_until_healthy(contained, process)
    stopped_at = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 0, said
    assert time.monotonic() - stopped_at < STOP_SECONDS
    assert "plays ai-debt-wave" in said
    assert "Traceback" not in said
    assert list(contained.state.iterdir()), "its state was kept"
    assert not contained.is_healthy()


def test_killed_and_started_again_it_goes_on(contained: Contained) -> None:
    command = [*image().command("ENTRYPOINT"), *image().command("CMD")]
    process = contained.start(command)
    wait_until_healthy(contained, process)
    until = time.monotonic() + START_SECONDS
    while not list(contained.state.glob("*.bars")) and time.monotonic() < until:
        time.sleep(0.2)
    process.kill()
    process.wait()
    assert not contained.is_healthy()
    process = contained.start(command)
    wait_until_healthy(contained, process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 0, said
    assert "it goes on where it was killed" in said


@pytest.mark.skipif(not can_be_locked_up(), reason="a root that cannot be written to takes root and its own mounts")
def test_it_is_really_locked_up(contained: Contained) -> None:
    who = "import os; print(os.getuid(), os.getgid(), os.getgroups())"
    assert contained.run(["python", "-c", who]) == (0, f"{contained.uid} {contained.gid} []\n")
    writes = "import os; print([path for path in ('/', '/tmp', '/var/tmp', '.') if os.access(path, os.W_OK)])"
    assert contained.run(["python", "-c", writes]) == (0, "[]\n")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "http://127.0.0.1:1/-/healthy does not answer as it should: "),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1/-/healthy does not answer as it should: "),
        ("file:///etc", "is no address of a web page"),
        ("", "is no address of a web page"),
        ("http://", "no address"),
    ],
)
def test_what_is_wrong_is_a_sentence(url: str, said: str) -> None:
    assert said in (unhealthy_because(url) or "")


def test_the_check_wants_an_address(contained: Contained) -> None:
    code, said = contained.run(["python", "-m", "monitor.healthy"])
    assert code == 1
    assert "one address is needed" in said
