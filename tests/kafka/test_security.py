"""Against a real broker: what gets in over each kind of security, and what a person is told of what does not."""

from __future__ import annotations

import gc
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from pydantic import SecretStr

from monitor.kafka.connection import Failures, KafkaConnection, Security, reason_of
from tests.kafka.broker import Broker, BrokerTls, create_topic, need_broker
from tests.kafka.certificates import Authority, keystore
from tests.kafka.messages import plain, read, send

USER, PASSWORD = "alice, of=desk", "s3cret-of-the-user"
STRANGER, STRANGERS_PASSWORD = "mallory", "s3cret-of-the-other"
KEY_PASSWORD = "s3cret-of-the-key"  # noqa: S105 - made up
TOPIC = "secure"
CONNECT_SECONDS = 5.0


@dataclass
class Secured:
    """A broker with all kinds of security, and the ways in."""

    broker: Broker
    other_authority: Path
    ways: dict[str, KafkaConnection]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    need_broker(own=True)
    folder = tmp_path_factory.mktemp("certificates")
    authority, other = Authority(folder / "ours", "Ours"), Authority(folder / "other", "Another")
    stored = keystore(*authority.signed("broker", "IP:127.0.0.1"), folder / "keystore.pem")
    cert_file, key_file = authority.signed("client", password=KEY_PASSWORD)
    others_cert, others_key = other.signed("client")
    authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    users = f"User:ANONYMOUS;User:{USER};User:CN=client"
    broker = Broker(
        tls=BrokerTls(stored, authority.certificate),
        properties={"authorizer.class.name": authorizer, "super.users": users},
    )
    broker.start()
    broker.add_user(USER, PASSWORD)
    broker.add_user(STRANGER, STRANGERS_PASSWORD)
    create_topic(broker.bootstrap, TOPIC, 1)
    ssl = KafkaConnection(brokers=(broker.tls,), security="SSL", ca_file=authority.certificate)
    mutual = replace(
        ssl, brokers=(broker.mutual,), cert_file=cert_file, key_file=key_file, key_password=SecretStr(KEY_PASSWORD)
    )
    sasl = replace(ssl, brokers=(broker.sasl,), security="SASL_SSL", username=USER, password=SecretStr(PASSWORD))
    ways = {
        "PLAINTEXT": plain(broker.bootstrap),
        "SSL": ssl,
        "SSL, both": mutual,
        "SCRAM-SHA-256": replace(sasl, mechanism="SCRAM-SHA-256"),
        "SCRAM-SHA-512": replace(sasl, mechanism="SCRAM-SHA-512"),
        "plaintext to TLS": plain(broker.tls),
        "TLS to plaintext": replace(ssl, brokers=(broker.bootstrap,)),
        "wrong authority": replace(ssl, ca_file=other.certificate),
        "authorities of the system": replace(ssl, ca_file=None),
        "another host name": replace(ssl, brokers=(broker.tls.replace("127.0.0.1", "localhost"),)),
        "no certificate": replace(ssl, brokers=(broker.mutual,)),
        "certificate of others": replace(mutual, cert_file=others_cert, key_file=others_key, key_password=None),
        "wrong password": replace(sasl, password=SecretStr("s3cret-but-wrong")),
        "unknown user": replace(sasl, username="bob"),
        "password to SSL": replace(sasl, brokers=(broker.tls,)),
        "stranger": replace(sasl, username=STRANGER, password=SecretStr(STRANGERS_PASSWORD)),
        "nothing listens": plain("127.0.0.1:1"),
        "no such host": plain("no-such-host.invalid:9092"),
    }
    yield Secured(broker, other.certificate, ways)
    broker.discard()


@pytest.mark.parametrize("way", ["PLAINTEXT", "SSL, both", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_message_goes_in_and_comes_out(secured: Secured, way: str) -> None:
    topic = f"in-{way.lower().replace(', ', '-')}"
    create_topic(secured.broker.bootstrap, topic, 1)
    send(secured.ways[way], topic, [way.encode()])
    assert read(secured.ways[way], topic, 1) == [way.encode()]


def test_over_ssl_without_a_certificate_of_ours_the_broker_is_reached(secured: Secured) -> None:
    create_topic(secured.broker.bootstrap, "over-ssl", 1)
    send(secured.ways["SSL"], "over-ssl", [b"one"])
    assert read(secured.ways["SSL"], "over-ssl", 1) == [b"one"]


REFUSED = {
    "plaintext to TLS": "set security to SSL or SASL_SSL|its security is another|closed the connection",
    "TLS to plaintext": "speaks no TLS at this port",
    "wrong authority": "not signed by an authority of ca_file",
    "authorities of the system": "not signed by an authority of ca_file",
    "another host name": "not for the host by which it is reached",
    "no certificate": "wants a client's certificate",
    "certificate of others": "wants a client's certificate",
    "wrong password": "refuses the user name or the password",
    "unknown user": "refuses the user name or the password",
    "password to SSL": "asks for no user name at this port",
    "nothing listens": "nothing listens there",
    "no such host": "the host name cannot be resolved",
}


@pytest.mark.parametrize("way", REFUSED)
def test_one_that_is_refused_is_told_why_in_time_and_leaves_nothing(secured: Secured, way: str) -> None:
    threads, began = threading.active_count(), time.monotonic()
    with pytest.raises(KafkaError) as refused:
        KafkaConsumer(**secured.ways[way].client_options(), bootstrap_timeout_ms=1_500)
    assert time.monotonic() - began < CONNECT_SECONDS
    assert threading.active_count() == threads
    assert re.search(REFUSED[way], reason_of(refused.value))
    gc.collect()  # an unclosed socket fails the test


@pytest.mark.parametrize("make", [KafkaProducer, KafkaAdminClient])
def test_a_producer_and_an_admin_are_told_the_same(secured: Secured, make: type[KafkaProducer]) -> None:
    threads, began = threading.active_count(), time.monotonic()
    with pytest.raises(KafkaError) as refused:
        make(**secured.ways["wrong password"].client_options(), bootstrap_timeout_ms=10_000)
    assert time.monotonic() - began < CONNECT_SECONDS  # it does not try until the time is over
    assert threading.active_count() == threads
    assert reason_of(refused.value) == "the broker refuses the user name or the password"


@pytest.mark.parametrize("security", ["PLAINTEXT", "SSL"])
def test_one_that_accepts_and_says_nothing_is_given_up_in_time(security: Security) -> None:
    threads, began = threading.active_count(), time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection = KafkaConnection(brokers=(f"127.0.0.1:{silent.getsockname()[1]}",), security=security)
        with pytest.raises(KafkaError) as refused:
            KafkaConsumer(**connection.client_options(), bootstrap_timeout_ms=500)
    assert time.monotonic() - began < CONNECT_SECONDS
    assert threading.active_count() == threads
    assert reason_of(refused.value) == "no answer came in time"
    gc.collect()


def test_one_broker_of_several_is_enough(secured: Secured) -> None:
    wrong, right = secured.ways["nothing listens"], secured.ways["PLAINTEXT"]
    both = replace(right, brokers=wrong.brokers + right.brokers)
    consumer = KafkaConsumer(**both.client_options(), bootstrap_timeout_ms=5_000)
    consumer.close()


def test_a_user_without_rights_is_told_so(secured: Secured) -> None:
    with pytest.raises(KafkaError) as refused:
        send(secured.ways["stranger"], TOPIC, [b"not mine"])
    assert reason_of(refused.value) == "the user may not use this topic"


def test_failures_of_a_client_that_lives_are_noted(secured: Secured) -> None:
    failures = Failures()
    wrong, right = secured.ways["nothing listens"], secured.ways["PLAINTEXT"]
    both = replace(right, brokers=wrong.brokers * 9 + right.brokers)  # the first is drawn by lot
    for _ in range(20):
        KafkaConsumer(**both.client_options(failures), bootstrap_timeout_ms=5_000).close()
        if failures.reason():
            break
    assert failures.reason() == "nothing listens there"


def test_no_secret_stands_in_a_log_an_error_or_a_repr(secured: Secured, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1, logger="kafka")
    said: list[str] = []
    for way in ("SSL, both", "SCRAM-SHA-256", "SCRAM-SHA-512", "wrong password"):
        connection = secured.ways[way]
        said += [repr(connection), str(connection), repr(connection.client_options())]
        for make in (KafkaConsumer, KafkaProducer, KafkaAdminClient):
            try:
                client = make(**connection.client_options(), bootstrap_timeout_ms=1_500)
            except KafkaError as error:
                said += [repr(error), reason_of(error), repr(error.__cause__)]
            else:
                said += [repr(client), repr(client.config)]
                client.close()
    said += [logging.Formatter("%(message)s").format(record) for record in caplog.records]
    said += [repr(record.args) for record in caplog.records]
    assert any("Starting KafkaAdminClient with configuration" in each for each in said)
    assert not [each for each in said if "s3cret" in each]
