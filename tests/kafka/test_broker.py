"""The broker of `make broker`: it starts, keeps its data through a kill and a stop, and says what is wrong."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer

from tests.kafka.broker import LIBS, MUST_NOT_SKIP, SCRIPT, Broker, BrokerError, create_topic, missing, need_broker
from tests.kafka.messages import plain, read, send

LONG_AGO_MS = 1_000_000_000_000  # September 2001


def test_what_is_sent_is_read(broker: Broker, topic: str) -> None:
    send(plain(broker.bootstrap), topic, [b"one", b"two"])
    assert read(plain(broker.bootstrap), topic, 2) == [b"one", b"two"]


def test_a_topic_has_the_partitions_that_were_asked_for(broker: Broker, topic: str) -> None:
    consumer = KafkaConsumer(**plain(broker.bootstrap).client_options())
    try:
        assert consumer.partitions_for_topic(topic) == {0, 1, 2, 3}
    finally:
        consumer.close()


def test_its_data_outlives_a_kill_and_a_stop_at_the_same_address(own_broker: Broker) -> None:
    address = own_broker.bootstrap
    create_topic(address, "kept", 1)
    send(plain(address), "kept", [b"before the kill"], timestamp_ms=LONG_AGO_MS)
    own_broker.kill()
    assert not own_broker.is_running
    own_broker.start()
    assert own_broker.bootstrap == address
    send(plain(address), "kept", [b"after the kill"])
    began = time.monotonic()
    own_broker.restart()
    assert time.monotonic() - began < 20
    assert read(plain(address), "kept", 2) == [b"before the kill", b"after the kill"]


def test_one_that_cannot_start_says_why() -> None:
    need_broker(own=True)
    wrong = Broker(properties={"num.io.threads": "many"})
    with pytest.raises(BrokerError, match=r"num\.io\.threads"):
        wrong.start()
    assert not wrong.is_running


def run_script(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", SCRIPT, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_script_says_that_the_port_is_taken(broker: Broker, tmp_path: Path) -> None:
    port = broker.bootstrap.rpartition(":")[2]
    done = run_script(KAFKA_PORT=port, KAFKA_DATA=str(tmp_path), KAFKA_LIBS=str(LIBS))
    assert done.returncode == 1
    assert f"127.0.0.1:{port} already" in done.stderr


def test_the_script_says_that_java_is_missing_or_old(tmp_path: Path) -> None:
    assert "java is missing" in run_script("check", JAVA_HOME=str(tmp_path)).stderr
    java = tmp_path / "bin/java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    done = run_script("check", JAVA_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "is Java 11" in done.stderr


def test_the_script_says_that_maven_is_missing(tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.2\" 2024-01-16' >&2\n")
    java.chmod(0o755)
    for name in ("bash", "dirname", "sed", "cmp"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / name).symlink_to(found)
    without = {"PATH": str(tmp_path), "JAVA_HOME": ""}
    assert "mvn is missing" in run_script("check", KAFKA_LIBS=str(tmp_path / "libs"), **without).stderr


def test_where_nothing_may_be_skipped_a_missing_broker_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.kafka.broker.missing", lambda **_: "no Kafka broker: java is missing")
    monkeypatch.delenv(MUST_NOT_SKIP, raising=False)
    with pytest.raises(pytest.skip.Exception, match="java is missing"):
        need_broker()
    monkeypatch.setenv(MUST_NOT_SKIP, "1")
    with pytest.raises(pytest.fail.Exception, match="java is missing"):
        need_broker()


def test_a_broker_of_others_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.kafka.broker._missing_for_own", lambda: "no Kafka broker: java is missing")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert missing() is None
    assert missing(own=True) == "no Kafka broker: java is missing"
