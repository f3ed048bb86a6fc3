"""How brokers are named, and what of a connection is refused before anything is connected."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import errors
from pydantic import SecretStr

from monitor.kafka.connection import (
    Failures,
    KafkaConnection,
    KafkaConnectionError,
    brokers_of,
    quiet_library_log,
    reason_of,
)
from monitor.sources.base import SourceError
from monitor.sources.kafka import KafkaSource
from monitor.sources.kafka.topics import Topics
from tests.kafka.certificates import Authority


@pytest.mark.parametrize(
    ("url", "brokers"),
    [
        ("kafka://a:9092,b", ("a:9092", "b:9092")),
        ("kafka://a", ("a:9092",)),
        ("kafka://a.example.net:19092/", ("a.example.net:19092",)),
        ("KAFKA://10.0.0.1:1, b:2", ("10.0.0.1:1", "b:2")),
        ("kafka://[::1]:19092,[fe80::1]", ("[::1]:19092", "[fe80::1]:9092")),
    ],
)
def test_an_address_names_brokers(url: str, brokers: tuple[str, ...]) -> None:
    assert brokers_of(url) == brokers


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("a:9092", "does not begin with kafka://"),
        ("http://a:9092", "does not begin with kafka://"),
        ("kafka://", "'' is no broker's host:port"),
        ("kafka:///", "'' is no broker's host:port"),
        ("kafka://a,", "'' is no broker's host:port"),
        ("kafka://a:", "'a:' is no broker's host:port"),
        ("kafka://:9092", "':9092' is no broker's host:port"),
        ("kafka://a:0", "'a:0' is no broker's host:port"),
        ("kafka://a:70000", "'a:70000' has no port from 1 to 65535"),
        ("kafka://a:b", "'a:b' has no port from 1 to 65535"),
        ("kafka://a b:1", "'a b:1' is no broker's host:port"),
        ("kafka://::1", "no broker's host:port|no port from"),
        ("kafka://[::1", "no broker's host:port"),
        ("kafka://a/topic", "more than brokers"),
        ("kafka://a?x=1", "more than brokers"),
        ("kafka://a:1,a:1", "names a broker twice"),
    ],
)
def test_another_address_is_refused_with_a_sentence(url: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong) as refused:
        brokers_of(url)
    assert url in str(refused.value)


@pytest.mark.parametrize("url", ["kafka://alice:s3cret@a:9092", "http://alice:s3cret@a"])
def test_a_password_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        brokers_of(url)
    assert "s3cret" not in str(refused.value)


PASSWORD = SecretStr("s3cret")


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"brokers": ()}, "at least one broker"),
        ({"brokers": ("a:b",)}, "'a:b' has no port"),
        ({"security": "SASL_PLAINTEXT"}, "security is 'SASL_PLAINTEXT'"),
        ({"security": "SASL_SSL", "username": "alice", "password": PASSWORD, "mechanism": "PLAIN"}, "mechanism is"),
        ({"security": "SASL_SSL"}, "needs username and password"),
        ({"security": "SASL_SSL", "username": "alice"}, "needs username and password"),
        ({"security": "SASL_SSL", "username": "", "password": PASSWORD}, "needs username and password"),
        ({"security": "SASL_SSL", "username": "alice", "password": SecretStr("")}, "needs username and password"),
        ({"username": "alice"}, "username and password are of security SASL_SSL, and it is PLAINTEXT"),
        ({"security": "SSL", "password": PASSWORD}, "username and password are of security SASL_SSL, and it is SSL"),
        ({"security": "SSL", "cert_file": Path("a.pem")}, "cert_file and key_file go together"),
        ({"security": "SSL", "key_file": Path("a.key")}, "cert_file and key_file go together"),
        ({"security": "SSL", "key_password": PASSWORD}, "key_password is of key_file"),
        ({"ca_file": Path("ca.pem")}, "of security SSL and SASL_SSL, and it is PLAINTEXT"),
        ({"security": "SSL", "ca_file": Path("no/such.pem")}, "ca_file no/such.pem is no file"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(settings: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong) as refused:
        KafkaConnection(**{"brokers": ("a:9092",), **settings})
    assert "s3cret" not in str(refused.value)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates") / "ca", "An authority")


def test_files_that_do_not_fit_are_refused_with_a_sentence(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.signed("client", password=PASSWORD.get_secret_value())
    _, other_key = authority.signed("other")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no PEM")
    with pytest.raises(ValueError, match=r"ca_file .*garbage.pem has no certificate"):
        KafkaConnection(brokers=("a",), security="SSL", ca_file=garbage)
    for cert_file, key_file, password, wrong in (
        (certificate, other_key, None, "is not the key of the certificate"),
        (certificate, key, None, "key_password is missing or wrong"),
        (certificate, key, SecretStr("another"), "key_password is missing or wrong"),
        (garbage, other_key, None, "cannot be read as PEM"),
    ):
        with pytest.raises(ValueError, match=wrong):
            KafkaConnection(
                brokers=("a",), security="SSL", cert_file=cert_file, key_file=key_file, key_password=password
            )


def test_a_file_that_is_gone_later_is_a_connection_error(authority: Authority, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.certificate.read_bytes())
    connection = KafkaConnection(brokers=("a:9092",), security="SSL", ca_file=ca_file)
    ca_file.unlink()
    with pytest.raises(KafkaConnectionError, match=r"a:9092 cannot be connected: ca_file .* is no file"):
        connection.client_options()
    source = KafkaSource("market", connection, Topics(), group="any")
    with pytest.raises(SourceError, match=r"a:9092 cannot be connected: ca_file .* is no file"):
        source.open()


def test_tls_is_always_verified() -> None:
    connection = KafkaConnection(brokers=("a:9092",), security="SSL")
    context = connection.client_options()["ssl_context"]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_the_password_shows_itself_to_nobody() -> None:
    connection = KafkaConnection(brokers=("a:9092",), security="SASL_SSL", username="a=b,c", password=PASSWORD)
    options = connection.client_options()
    shown = (
        f"{connection} {connection!r} {options} {options['sasl_plain_password']} {options['sasl_plain_password']:>9}"
    )
    assert "s3cret" not in shown
    assert options["sasl_plain_password"].encode() == b"s3cret"
    assert options["sasl_plain_username"] == "a=3Db=2Cc"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.SaslAuthenticationFailedError("x"), "refuses the user name or the password"),
        (errors.UnsupportedSaslMechanismError(), "does not take this SASL mechanism"),
        (errors.TopicAuthorizationFailedError({"a"}), "may not use this topic"),
        (errors.GroupAuthorizationFailedError("a"), "may not use this consumer group"),
        (errors.UnknownTopicOrPartitionError(), "no such topic"),
        (errors.KafkaConnectionError("111 ECONNREFUSED"), "nothing listens there"),
        (errors.KafkaConnectionError("DNS Resolution failure"), "cannot be resolved"),
        (errors.KafkaConnectionError("Connection timed out"), "no answer came in time"),
        (errors.KafkaTimeoutError("Unable to bootstrap from a"), "no answer came in time"),
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens there"),
        (ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), "not signed by an authority"),
        (errors.CorruptRecordError("a\nb"), "a"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_an_error_has_one_line_for_people(error: BaseException, reason: str) -> None:
    assert reason in reason_of(error)
    assert "\n" not in reason_of(error)


def test_the_cause_of_an_error_tells_more_than_its_time() -> None:
    error = errors.KafkaTimeoutError("Unable to bootstrap from a")
    error.__cause__ = errors.KafkaConnectionError("111 ECONNREFUSED")
    assert reason_of(error) == "nothing listens there"


def test_of_several_failures_the_most_telling_is_told() -> None:
    failures = Failures()
    assert failures.reason() is None
    failures.note(errors.SaslAuthenticationFailedError("x"))
    for _ in range(3):
        failures.note(errors.KafkaConnectionError("socket disconnected"))
    assert failures.reason() == "the broker refuses the user name or the password"
    failures.clear()
    assert failures.reason() is None


@pytest.fixture
def _same_levels() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("kafka", "kafka.net.selector", "kafka.producer.sender")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.mark.usefixtures("_same_levels")
def test_of_the_librarys_log_only_what_its_threads_die_of_is_let_through() -> None:
    quiet_library_log()
    assert not logging.getLogger("kafka.net.manager").isEnabledFor(logging.ERROR)
    assert not logging.getLogger("kafka.admin.client").isEnabledFor(logging.DEBUG)
    assert logging.getLogger("kafka.net.selector").isEnabledFor(logging.ERROR)
