"""The parts of the chain as real processes: the monitor, Prometheus, Alertmanager, and whoever is paged."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from monitor.generate.rules import JOB
from tests.prometheus.tools import need

HOST: Final = "127.0.0.1"
_ANSWER_SECONDS: Final = 20
_STOP_SECONDS: Final = 20


def free_port() -> int:
    """A port on which nothing listens at this moment."""
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])


def until(is_so: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait; fail with what was waited for."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


class Part:
    """A process that listens on a port of its own.

    Args:
        folder: for what it writes, its log among it.

    Attributes:
        port: on which it listens; the same after a restart.
        url: its address.
    """

    name = "part"
    ready = "/-/ready"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """All that it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def command(self) -> list[str]:
        """What is run."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """What it is told besides."""
        return {}

    def start(self, seconds: float = 60) -> Self:
        """Run it, until it is ready."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, env=os.environ | dict(self.environment())
            )
        try:
            until(lambda: self.is_ready() or not self.is_running(), f"{self.name} is ready", seconds)
            assert self.is_running(), f"{self.name} ended: {self.log[-3_000:]}"
        except BaseException:
            self.stop()
            raise
        return self

    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        """Whether it says so."""
        with suppress(OSError), urlopen(f"{self.url}{self.ready}", timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - of this machine
            return bool(answer.status == 200)
        return False

    def get(self, path: str, **parameters: str) -> str:
        """A page of it."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        with urlopen(f"{self.url}{path}{query}", timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - of this machine
            return str(answer.read().decode())

    def kill(self) -> None:
        """End it at once, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(_STOP_SECONDS)

    def stop(self) -> None:
        """End it as an operator does; nothing if it does not run."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Monitor(Part):
    """`stress-monitor run`, with its state in its folder.

    Args:
        folder: likewise.
        arguments: of the command line.
    """

    name = "the monitor"

    def __init__(self, folder: Path, *arguments: str) -> None:
        super().__init__(folder)
        self._arguments = arguments

    def command(self) -> list[str]:
        """See `Part`."""
        return [sys.executable, "-m", "monitor", "run", "--state", str(self.folder / "state"), *self._arguments]

    def environment(self) -> Mapping[str, str]:
        """See `Part`."""
        return {"MONITOR_HTTP__METRICS_PORT": str(self.port), "MONITOR_HTTP__PAGE_PORT": "0", "POLARS_MAX_THREADS": "1"}


class Prometheus(Part):
    """A server that scrapes and evaluates every second.

    Args:
        folder: likewise.
        targets: job to `HOST:PORT`.
        rules: the folder of the rule files.
        alertmanager: `HOST:PORT`; None: nobody is told.
        arguments: of the command line, besides.
    """

    name = "Prometheus"

    def __init__(
        self,
        folder: Path,
        targets: Mapping[str, str],
        rules: Path | None = None,
        alertmanager: str | None = None,
        *,
        arguments: Sequence[str] = (),
    ) -> None:
        super().__init__(folder)
        self._program, self._arguments = need("prometheus"), arguments
        config: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [f"{rules}/*.yml"] if rules else [],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()
            ],
        }
        if alertmanager:
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def command(self) -> list[str]:
        """See `Part`."""
        return [
            self._program, f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address={HOST}:{self.port}", *self._arguments,
        ]  # fmt: skip

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query; AssertionError with Prometheus' own words if it cannot be answered."""
        try:
            answer = json.loads(self.get("/api/v1/query", query=expression))
        except HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from error
        return list(answer["data"]["result"])

    def values(self, name: str) -> list[str]:
        """The values that a label has."""
        return list(json.loads(self.get(f"/api/v1/label/{name}/values"))["data"])

    def firing(self) -> list[dict[str, Any]]:
        """The alerts that fire: each with `labels` and `annotations`."""
        found = json.loads(self.get("/api/v1/alerts"))["data"]["alerts"]
        return [each for each in found if each["state"] == "firing"]


def of_monitor(monitor: Monitor) -> dict[str, str]:
    """The targets of a Prometheus that scrapes one monitor."""
    return {JOB: f"{HOST}:{monitor.port}"}


class Alertmanager(Part):
    """An Alertmanager on its own.

    Args:
        folder: likewise.
        config: its configuration, with the templates that it names beside it.
    """

    name = "Alertmanager"

    def __init__(self, folder: Path, config: Path) -> None:
        super().__init__(folder)
        self._program, self._config = need("prometheus-alertmanager"), config

    @property
    def address(self) -> str:
        """`HOST:PORT`."""
        return f"{HOST}:{self.port}"

    def command(self) -> list[str]:
        """See `Part`."""
        return [
            self._program, f"--config.file={self._config}", f"--storage.path={self.folder}/data",
            f"--web.listen-address={self.address}", "--cluster.listen-address=",
        ]  # fmt: skip


@dataclass(frozen=True)
class Message:
    """What a receiver was sent.

    Attributes:
        path: to which.
        at: when, by a monotonic clock.
        body: Alertmanager's JSON.
    """

    path: str
    at: float
    body: dict[str, Any]

    @property
    def group(self) -> str:
        """The key of the group of alerts that it is about."""
        return str(self.body["groupKey"])

    def alerts(self, status: str, **labels: str) -> list[dict[str, Any]]:
        """Its alerts of that status (`firing` or `resolved`) and with these labels."""
        return [
            each
            for each in self.body["alerts"]
            if each["status"] == status and each["labels"].items() >= labels.items()
        ]


class Receivers:
    """Stands for a pager and a desk: keeps what Alertmanager sends to any path of its address."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        messages = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                messages.append(Message(self.path, time.monotonic(), body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.address = f"{HOST}:{self._server.server_address[1]}"

    def to(self, path: str) -> list[Message]:
        """What was sent to a path, in order."""
        return [each for each in list(self.messages) if each.path == path]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
