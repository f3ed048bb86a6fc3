"""Runs the image's commands as its container would, without a container: by its environment, its user, on a root that
cannot be written to, without capabilities; as far as the machine of the test lets it.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.deploy.files import image

BIN: Final = Path(sys.executable).parent
"""Where the monitor is installed, in place of the image's folder."""
STATE: Final = "/var/lib/stress-monitor"

_LOCKED_UP: Final = """
set -e
uid=$1 gid=$2 prefix=$3 closed=$4 own=$5
shift 5
if [ -n "$closed" ]; then # the interpreter lies where only root looks
  mount --bind "$prefix" "$own/python"
  mount -t tmpfs -o mode=755 none "$closed"
  mkdir -p "$prefix"
  mount --bind "$own/python" "$prefix"
fi
mount --bind "$own/state" "$own/state"
mount -o remount,bind,ro /
exec setpriv --reuid "$uid" --regid "$gid" --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"""


@functools.cache
def can_be_locked_up() -> bool:
    """Whether a root can be had here that nobody can write to."""
    if os.geteuid() or not (shutil.which("unshare") and shutil.which("setpriv")):
        return False
    tried = ["unshare", "--mount", "sh", "-c", "mount -o remount,bind,ro /"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def _closed(prefix: Path) -> str:
    """The outermost folder above the interpreter into which only its owner may look; nothing if there is none."""
    closed = [each for each in reversed(prefix.parents) if not each.stat().st_mode & 0o001]
    return str(closed[0]) if closed else ""


class Contained:
    """A container that is none: a state of its own, and the commands that run on it.

    Args:
        port: on which the monitor listens in place of the image's.
    """

    def __init__(self, port: int) -> None:
        self._own = Path(tempfile.mkdtemp(prefix="contained-"))
        self._own.chmod(0o755)
        self._image = image()
        self._port = port
        self._started: list[subprocess.Popen[str]] = []
        self.uid, self.gid = (int(each) for each in self._image.last("USER").split(":"))
        self.state.mkdir(mode=0o750)
        (self._own / "work").mkdir(mode=0o555)
        (self._own / "python").mkdir()
        if can_be_locked_up():
            os.chown(self.state, self.uid, self.gid)

    @property
    def state(self) -> Path:
        """The folder of the state, the only one that can be written to."""
        return self._own / "state"

    def add(self, name: str, text: str) -> str:
        """A file that the container is given; its path."""
        path = self._own / name
        path.write_text(self._here(text), encoding="utf-8")
        path.chmod(0o644)
        return str(path)

    def start(self, command: Sequence[str], **more: str) -> subprocess.Popen[str]:
        """Start a command; what it says can be read."""
        words = [self._here(word) for word in command]
        words[0] = str(BIN / words[0])
        if can_be_locked_up():
            prefix = Path(sys.base_prefix)
            own = [str(self.uid), str(self.gid), str(prefix), _closed(prefix), str(self._own)]
            words = ["unshare", "--mount", "sh", "-c", _LOCKED_UP, "contained", *own, *words]
        started = subprocess.Popen(
            words, cwd=self._own / "work", env=self._environment(more),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._started.append(started)
        return started

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """The exit code of a command, and what it says."""
        started = self.start(command)
        said, _ = started.communicate(timeout=60)
        return started.returncode, said

    def is_healthy(self) -> bool:
        """What the image's health check says."""
        code, said = self.run(self._image.command("HEALTHCHECK"))
        assert code in (0, 1), said
        return code == 0

    def discard(self) -> None:
        """Kill what still runs, and remove all."""
        for each in self._started:
            each.kill()
            each.wait()
            if each.stdout:
                each.stdout.close()
        shutil.rmtree(self._own, ignore_errors=True)

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        environment = self._image.environment()
        path = environment["PATH"].replace("/opt/stress-monitor/bin", str(BIN))
        return {
            **environment,
            "PATH": path.replace("$PATH", "/usr/local/bin:/usr/bin:/bin"),
            "MONITOR_HTTP__METRICS_PORT": str(self._port),
            "MONITOR_HTTP__PAGE_PORT": "0",
            "POLARS_MAX_THREADS": "1",
            **more,
        }

    def _here(self, text: str) -> str:
        return re.sub(r"(127\.0\.0\.1):9464", rf"\1:{self._port}", text).replace(STATE, str(self.state))


def free_port() -> int:
    """A port on which nothing listens at this moment."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port
