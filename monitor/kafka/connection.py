"""How the brokers are reached, and who the monitor is to them: what every client of kafka-python is given."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from monitor.kafka.client import Failures, client_maker
from monitor.kafka.reasons import reason_of

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

__all__ = [
    "DEFAULT_PORT",
    "Failures",
    "KafkaConnection",
    "KafkaConnectionError",
    "Mechanism",
    "Security",
    "brokers_of",
    "quiet_library_log",
    "reason_of",
]

Security = Literal["PLAINTEXT", "SSL", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512"]

DEFAULT_PORT: Final = 9092
_SCHEME: Final = "kafka://"
_ADVICE: Final = "it is written as kafka://HOST:PORT,HOST:PORT, an IPv6 address as [::1]:9092"

RECONNECT_MS: Final = 100
LONGEST_RECONNECT_MS: Final = 2_000
"""A client tries a broker that is down again after so long at most; the library's own 30 seconds blind us too long."""


class KafkaConnectionError(Exception):
    """No broker can be used; the message says which, what is wrong, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConnection:
    """How the brokers are reached, and who we are to them.

    Certificates and the names in them are always verified.

    Attributes:
        brokers: "host:port" each; any of them tells of all the others.
        security: PLAINTEXT: nothing is secret; SSL: over TLS; SASL_SSL: over TLS with user name and password.
        ca_file: PEM, the authorities that sign the brokers' certificates; None: those of this system.
        cert_file: PEM, our certificate and those between it and its authority; None: we show none.
        key_file: PEM, its key.
        key_password: decrypts the key; None: it is not encrypted.
        mechanism: how the password is proved.
        username: of SASL_SSL.
        password: of SASL_SSL.
        client_id: by which the brokers' logs and quotas know us.
    """

    brokers: tuple[str, ...]
    security: Security = "PLAINTEXT"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    key_password: SecretStr | None = None
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: SecretStr | None = None
    client_id: str = "market-stress-monitor"

    def __post_init__(self) -> None:
        """Refuse what cannot work; ValueError."""
        if not self.brokers:
            raise ValueError("brokers must name at least one broker as host:port")
        for broker in self.brokers:
            _host_and_port(broker)
        self._check_words()
        if self.security != "PLAINTEXT":
            self._tls()

    def client_options(self, failures: Failures | None = None) -> dict[str, Any]:
        """What every client of kafka-python 3 is given: consumer, producer, admin.

        A constructor that is given it and `bootstrap_timeout_ms` raises in that time if no broker is reached, at once
        if all refuse us, and leaves nothing behind; `reason_of` says why. Only to resolve a host name may take longer.
        The password hides itself from whoever prints the dictionary: the library logs it.

        Args:
            failures: is told of every connection that fails while the client lives.

        Raises:
            KafkaConnectionError: a file of certificates can be read no more.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.brokers),
            "client_id": self.client_id,
            "security_protocol": self.security,
            "kafka_client": client_maker(failures),
            "reconnect_backoff_ms": RECONNECT_MS,
            "reconnect_backoff_max_ms": LONGEST_RECONNECT_MS,
        }
        if self.security != "PLAINTEXT":
            try:
                options["ssl_context"] = self._tls()
            except ValueError as error:
                raise KafkaConnectionError(f"{', '.join(self.brokers)} cannot be connected: {error}") from error
        if self.security == "SASL_SSL" and self.username is not None and self.password is not None:
            options["sasl_mechanism"] = self.mechanism
            # The library sends the name as it is; SCRAM wants these two escaped.
            options["sasl_plain_username"] = self.username.replace("=", "=3D").replace(",", "=2C")
            options["sasl_plain_password"] = _Hidden(self.password.get_secret_value())
        return options

    def _check_words(self) -> None:
        """Refuse settings that contradict each other; ValueError."""
        if self.security not in ("PLAINTEXT", "SSL", "SASL_SSL"):
            raise ValueError(f"security is {self.security!r}; it must be PLAINTEXT, SSL or SASL_SSL")
        if self.mechanism not in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            raise ValueError(f"mechanism is {self.mechanism!r}; it must be SCRAM-SHA-256 or SCRAM-SHA-512")
        has_password = self.password is not None and bool(self.password.get_secret_value())
        if self.security == "SASL_SSL" and not (self.username and has_password):
            raise ValueError("security SASL_SSL needs username and password")
        if self.security != "SASL_SSL" and (self.username is not None or self.password is not None):
            raise ValueError(f"username and password are of security SASL_SSL, and it is {self.security}")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together, and only one of them is given")
        if self.key_password is not None and self.key_file is None:
            raise ValueError("key_password is of key_file, and there is none")
        if self.security == "PLAINTEXT" and (self.ca_file is not None or self.cert_file is not None):
            raise ValueError("ca_file, cert_file and key_file are of security SSL and SASL_SSL, and it is PLAINTEXT")

    def _tls(self) -> ssl.SSLContext:
        """The TLS of all connections; ValueError if a file is missing or wrong."""
        for name in ("ca_file", "cert_file", "key_file"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{name} {path} is no file")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificates and host names
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is None:
            context.load_default_certs()
        else:
            try:
                context.load_verify_locations(self.ca_file)
            except OSError as error:  # ssl.SSLError is one
                raise ValueError(f"ca_file {self.ca_file} has no certificate that can be read as PEM") from error
        if self.cert_file is not None and self.key_file is not None:
            # Without a password of ours openssl would ask for one at the terminal.
            password = self.key_password.get_secret_value() if self.key_password is not None else ""
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password)
            except OSError as error:
                raise ValueError(_wrong_pair(self.cert_file, self.key_file, error)) from error
        return context


def brokers_of(url: str) -> tuple[str, ...]:
    """The brokers of an address: 'kafka://a:9092,b' gives ('a:9092', 'b:9092').

    Raises:
        ValueError: it is no such address; the message says what is wrong with it.
    """
    if not url.lower().startswith(_SCHEME):
        raise ValueError(f"{_shown(url)} does not begin with {_SCHEME}; {_ADVICE}")
    if "@" in url:
        raise ValueError("a user name or password stands in the address of Kafka; they are settings of their own")
    parts = url[len(_SCHEME) :].removesuffix("/").split(",")
    if any(sign in part for part in parts for sign in "/?#"):
        raise ValueError(f"{url} has more than brokers; {_ADVICE}")
    found: list[str] = []
    for part in parts:
        try:
            host, port = _host_and_port(part.strip())
        except ValueError as error:
            raise ValueError(f"{url}: {error}; {_ADVICE}") from error
        found.append(f"{host}:{port}")
    if len(set(found)) < len(found):
        raise ValueError(f"{url} names a broker twice")
    return tuple(found)


def quiet_library_log() -> None:
    """Let through of kafka-python's log only what its own threads die of.

    While a broker is down it writes a dozen lines a second, and below a warning it writes what SCRAM exchanges. What
    people need of it, `reason_of` says in the monitor's own log.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    for name in ("kafka.net.selector", "kafka.producer.sender"):
        logging.getLogger(name).setLevel(logging.ERROR)


class _Hidden(str):
    """A secret that shows itself to nobody who prints it; the library encodes it, and that is the text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"

    def __str__(self) -> str:
        return "**********"

    def __format__(self, format_spec: str) -> str:
        return format(str(self), format_spec)


def _host_and_port(broker: str) -> tuple[str, int]:
    """'a' -> ('a', 9092), '[::1]:19092' -> ('[::1]', 19092); ValueError with a sentence."""
    try:
        split = urlsplit(f"//{broker}")
    except ValueError as error:
        raise ValueError(f"'{broker}' is no broker's host:port") from error
    try:
        port = split.port
    except ValueError as error:
        raise ValueError(f"'{broker}' has no port from 1 to 65535") from error
    host = split.hostname
    is_v6 = host is not None and ":" in host
    if not host or split.path or split.query or split.fragment or "@" in broker or " " in broker or port == 0:
        raise ValueError(f"'{broker}' is no broker's host:port")
    if broker.endswith(":") or (not is_v6 and broker.count(":") > 1):
        raise ValueError(f"'{broker}' is no broker's host:port")
    return f"[{host}]" if is_v6 else host, DEFAULT_PORT if port is None else port


def _shown(url: str) -> str:
    """An address without what may be a password."""
    before, at, after = url.rpartition("@")
    return f"{before.partition('://')[0]}://...@{after}" if at else url


def _wrong_pair(cert_file: Path, key_file: Path, error: OSError) -> str:
    if "KEY_VALUES_MISMATCH" in str(error):
        return f"key_file {key_file} is not the key of the certificate in cert_file {cert_file}"
    return f"cert_file {cert_file} and key_file {key_file} cannot be read as PEM, or key_password is missing or wrong"
