"""A real Kafka broker in a process of its own, by the script of `make broker`, on free ports and a new folder."""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Final

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic, UserScramCredentialUpsertion

from monitor.kafka.connection import KafkaConnection

ROOT: Final = Path(__file__).parents[2]
SCRIPT: Final = ROOT / "deploy/kafka/broker.sh"
LIBS: Final = ROOT / "var/kafka/libs"
"""The jars, for all processes and runs."""

EXTERNAL: Final = "KAFKA_BOOTSTRAP"
"""This environment variable names a broker that is up already, and `shared_broker` takes that one."""
MUST_NOT_SKIP: Final = "CI_MUST_NOT_SKIP"
"""Where this environment variable is set a missing broker fails the tests that need one."""

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
_PORTS: Final = range(15_000, 32_000)
"""Below those that outgoing connections are given, so that none takes the port of a broker that is down."""
_LISTENERS: Final = {
    "PLAINTEXT": "PLAINTEXT",
    "CONTROLLER": "PLAINTEXT",
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "SASL": "SASL_SSL",
}
"""By name their security, in the order of the ports."""
_TRIES: Final = 3
"""Another process may take a port between the look and the start."""


class BrokerError(RuntimeError):
    """The broker does not come up; the message ends with what it said last."""


@functools.cache
def _missing_for_own() -> str | None:
    if not SCRIPT.exists():
        return f"no Kafka broker: {SCRIPT} is missing, and {EXTERNAL} is not set"
    check = subprocess.run([SCRIPT, "check"], env=_environment(), capture_output=True, text=True, check=False)
    return f"no Kafka broker: {EXTERNAL} is not set, and {check.stderr.strip()}" if check.returncode else None


def missing(*, own: bool = False) -> str | None:
    """What is missing for a broker, as a sentence; None if one can be had.

    Args:
        own: whether it is to be one that may be killed.
    """
    return None if os.environ.get(EXTERNAL) and not own else _missing_for_own()


def need_broker(*, own: bool = False) -> None:
    """Skip the test if no broker can be had; fail it where nothing may be skipped."""
    if reason := missing(own=own):
        if os.environ.get(MUST_NOT_SKIP):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def _environment(**more: str) -> dict[str, str]:
    of_others = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    return {**of_others, "KAFKA_LIBS": str(LIBS), **more}


@dataclass(frozen=True)
class BrokerTls:
    """What a broker shows, and whom it trusts.

    Attributes:
        keystore: a PEM file with its key, not encrypted, and its certificate.
        truststore: a PEM file with the authority of its clients' certificates.
    """

    keystore: Path
    truststore: Path


class Broker:
    """A broker that can be stopped, killed and restarted with its data.

    Args:
        tls: opens three more listeners, `tls`, `mutual` and `sasl`; None: PLAINTEXT only.
        properties: more of Kafka's own.
    """

    def __init__(self, *, tls: BrokerTls | None = None, properties: Mapping[str, str] | None = None) -> None:
        self._tls = tls
        self._properties = dict(properties or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._ports: list[int] = []

    @property
    def bootstrap(self) -> str:
        """host:port of the PLAINTEXT listener."""
        return self._at(0)

    @property
    def tls(self) -> str:
        """host:port of the SSL listener that asks no certificate of the client."""
        return self._at(2)

    @property
    def mutual(self) -> str:
        """host:port of the SSL listener that wants the client's certificate."""
        return self._at(3)

    @property
    def sasl(self) -> str:
        """host:port of the SASL_SSL listener."""
        return self._at(4)

    def _at(self, index: int) -> str:
        if not self._ports:
            raise RuntimeError("the broker was not started: it has no ports")
        return f"127.0.0.1:{self._ports[index]}"

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and wait until it answers; nothing if it runs.

        Raises:
            BrokerError: it does not come up.
        """
        if self.is_running:
            return
        self._reap()
        if self._ports:
            self._start()
            return
        _fetch()
        self._folder = Path(tempfile.mkdtemp(prefix="kafka-"))
        for left in reversed(range(_TRIES)):
            self._ports = _free_ports(5 if self._tls else 2)
            try:
                self._start()
            except BrokerError as error:
                if not left or "already" not in str(error):  # in use
                    self.discard()
                    raise
                self.kill()
            else:
                return

    def stop(self) -> None:
        """End it as a person would (SIGTERM), and keep its data."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it (SIGKILL), and keep its data."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again on its ports and data, stopped before if it runs."""
        self.stop()
        self.start()

    def discard(self) -> None:
        """Kill it and remove its data; the next start is of another broker."""
        self.kill()
        self._ports = []
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def log_tail(self, lines: int = 20) -> str:
        """What it said last."""
        path = self._path("broker.log")
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def add_user(self, name: str, password: str) -> None:
        """Let a user in by SCRAM-SHA-256 and SCRAM-SHA-512."""
        with admin(self.bootstrap) as client:
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                client.alter_user_scram_credentials([UserScramCredentialUpsertion(name, mechanism, password)])

    def _path(self, name: str) -> Path:
        if self._folder is None:
            raise RuntimeError("the broker was not started: it has no folder")
        return self._folder / name

    def _start(self) -> None:
        properties = self._path("test.properties")
        properties.write_text("".join(f"{key}={value}\n" for key, value in self._all_properties().items()))
        environment = _environment(
            KAFKA_PORT=str(self._ports[0]),
            KAFKA_CONTROLLER_PORT=str(self._ports[1]),
            KAFKA_DATA=str(self._path("data")),
            KAFKA_PROPERTIES=str(properties),
            KAFKA_HEAP="320m",
        )
        with self._path("broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [SCRIPT], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        # Should this process die without a word, its end of the pipe closes, and the broker is killed.
        self._guard = subprocess.Popen(
            ["sh", "-c", 'read -r _; kill -9 "$1"', "guard", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait()

    def _all_properties(self) -> dict[str, str]:
        if self._tls is None:
            return self._properties
        listeners = [f"{name}://{self._at(index)}" for index, name in enumerate(_LISTENERS)]
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        return {
            "listeners": ",".join(listeners),
            "advertised.listeners": ",".join(each for each in listeners if not each.startswith("CONTROLLER")),
            "listener.security.protocol.map": ",".join(map(":".join, _LISTENERS.items())),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._tls.keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._tls.truststore),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.sasl.scram-sha-256.sasl.jaas.config": scram,
            "listener.name.sasl.scram-sha-512.sasl.jaas.config": scram,
            **self._properties,
        }

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if not self.is_running:
                raise BrokerError(f"the broker at {self.bootstrap} ended while it started:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                tail = self.log_tail()
                self.kill()
                raise BrokerError(f"the broker at {self.bootstrap} is not up after {START_SECONDS:.0f} s:\n{tail}")
            with socket.socket() as tried:
                tried.settimeout(1)
                if tried.connect_ex(("127.0.0.1", self._ports[0])) == 0:
                    break
            time.sleep(0.02)
        with admin(self.bootstrap) as client:
            client.list_topics()

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self.is_running:
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reap()

    def _reap(self) -> None:
        """Wait for the processes that ended, and let go of them."""
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None


class _External(Broker):
    """A broker that others run: it is only used."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__()
        self._bootstrap = bootstrap

    @property
    def bootstrap(self) -> str:
        return self._bootstrap

    @property
    def is_running(self) -> bool:
        return True

    def start(self) -> None:
        pass

    def discard(self) -> None:
        pass

    def _end(self, number: signal.Signals) -> None:
        raise RuntimeError(f"the broker of {EXTERNAL} is not ours to end by {number.name}")


@functools.cache
def shared_broker() -> Broker:
    """The broker of this process, started by the first call and gone with the process."""
    broker = _External(os.environ[EXTERNAL]) if os.environ.get(EXTERNAL) else Broker()
    atexit.register(broker.discard)
    broker.start()
    return broker


@contextmanager
def admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    """A client that creates and deletes, over PLAINTEXT."""
    plain = KafkaConnection(brokers=tuple(bootstrap.split(",")))
    client = KafkaAdminClient(**plain.client_options(), bootstrap_timeout_ms=20_000)
    try:
        yield client
    finally:
        client.close()


def create_topic(bootstrap: str, name: str, partitions: int, **configs: object) -> None:
    """Create a topic, and wait until it can be written to.

    Args:
        bootstrap: host:port of a broker, over PLAINTEXT.
        name: of the topic.
        partitions: how many.
        configs: of the topic by Kafka's names with underscores, retention_ms for retention.ms.
    """
    by_name = {key.replace("_", "."): str(value) for key, value in configs.items()}
    with admin(bootstrap) as client:
        client.create_topics([NewTopic(name, partitions, 1, topic_configs=by_name)])
        client.wait_for_topics([name])


def delete_topic(bootstrap: str, name: str) -> None:
    """Delete a topic with all that it holds."""
    with admin(bootstrap) as client:
        client.delete_topics([name])


def _fetch() -> None:
    """Fetch the jars, one process at a time."""
    LIBS.parent.mkdir(parents=True, exist_ok=True)
    with (LIBS.parent / "libs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetched = subprocess.run(
            [SCRIPT, "fetch"], env=_environment(), capture_output=True, text=True, timeout=240, check=False
        )
    if fetched.returncode:
        raise BrokerError(fetched.stderr.strip())


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nothing listens."""
    found: list[int] = []
    for port in SystemRandom().sample(_PORTS, 1_000):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise BrokerError(f"no free port from {_PORTS.start} to {_PORTS.stop} on 127.0.0.1")
