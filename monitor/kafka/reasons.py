"""Why no broker was reached, or why one refused something: a short line for people out of an error of the library."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class _Reason:
    """One line, and what it is known by.

    Attributes:
        known_by: found in the error's class and text.
        line: what people are told.
        is_settled: whether trying again at once gives the same.
    """

    known_by: re.Pattern[str]
    line: str
    is_settled: bool = False


def _reason(known_by: str, line: str, *, is_settled: bool = False) -> _Reason:
    return _Reason(re.compile(known_by, re.IGNORECASE | re.DOTALL), line, is_settled)


_REASONS: Final = (
    _reason(
        "SaslAuthenticationFailed|Server sent wrong signature",
        "the broker refuses the user name or the password",
        is_settled=True,
    ),
    _reason("UnsupportedSaslMechanism", "the broker does not take this SASL mechanism", is_settled=True),
    _reason("IllegalSaslState", "the broker asks for no user name at this port: its security is SSL", is_settled=True),
    _reason(
        "Hostname mismatch|IP address mismatch",
        "the broker's certificate is not for the host by which it is reached",
        is_settled=True,
    ),
    _reason("certificate has expired", "the broker's certificate has expired", is_settled=True),
    _reason("certificate is not yet valid", "the broker's certificate is not valid yet", is_settled=True),
    _reason(
        "CERTIFICATE_VERIFY_FAILED",
        "the broker's certificate is not signed by an authority of ca_file",
        is_settled=True,
    ),
    _reason("alert certificate expired", "the certificate of cert_file has expired", is_settled=True),
    _reason(
        r"alert[ _](bad[ _]certificate|certificate[ _](unknown|required|revoked)|unknown[ _]ca)",
        "the broker wants a client's certificate (cert_file, key_file) that its own authority signed",
        is_settled=True,
    ),
    # A TLS alert, 0x15 and the version 0x0303 or 0x0301, where a length was expected.
    _reason(
        "Invalid frame length: (352518912|352518400)",
        "the broker speaks TLS at this port; set security to SSL or SASL_SSL",
        is_settled=True,
    ),
    _reason(
        "WRONG_VERSION_NUMBER|UNEXPECTED_EOF_WHILE_READING|RECORD_LAYER_FAILURE|Handshake failed.*(reset|socket)",
        "the broker speaks no TLS at this port, or its TLS is not ours",
    ),
    _reason("HANDSHAKE_FAILURE|NO_PROTOCOLS|PROTOCOL_VERSION|NO_SHARED_CIPHER", "the broker's TLS is not ours"),
    _reason("TopicAuthorizationFailed", "the user may not use this topic"),
    _reason("GroupAuthorizationFailed", "the user may not use this consumer group"),
    _reason("ClusterAuthorizationFailed", "the user may not do this on the cluster"),
    _reason("TransactionalIdAuthorizationFailed", "the user may not use this transactional id"),
    _reason("UnknownTopicOrPartition", "there is no such topic or partition"),
    _reason("InvalidSessionTimeout", "session_seconds is outside of what the broker allows (6 to 1800 by default)"),
    _reason("nobody leads", "a partition has no leader at this moment"),
    _reason("IncompatibleBrokerVersion|UnsupportedVersion", "the broker is too old, or is a controller"),
    _reason("DNS (Resolution failure|lookup failed)|gaierror", "the host name cannot be resolved"),
    _reason("ECONNREFUSED|Connection refused", "nothing listens there"),
    _reason("EHOSTUNREACH|ENETUNREACH|No route to host|Network is unreachable", "there is no route to the host"),
    _reason(
        "socket disconnected|ECONNRESET|EPIPE|Connection reset|Broken pipe",
        "the broker closed the connection; it does so where its security is another, too",
    ),
    _reason("Connection timed out|ETIMEDOUT|I/O wait timed out|RequestTimedOut|TimeoutError", "no answer came in time"),
)
"""The first that fits counts; of several errors the one that stands here first."""


def reason_of(error: BaseException) -> str:
    """One short line for people on an error of kafka-python, ssl or a socket; it has no secrets."""
    text = _text(error)
    for reason in _REASONS:
        if reason.known_by.search(text):
            return reason.line
    said = str(error).partition("\n")[0].removeprefix(f"{type(error).__name__}: ")
    return said or type(error).__name__


def is_settled(error: BaseException) -> bool:
    """Whether trying again at once would give the same."""
    at = _rank(error)
    return at < len(_REASONS) and _REASONS[at].is_settled


def most_telling(errors: Sequence[BaseException]) -> BaseException | None:
    """Of the errors of several attempts the one that tells most; the newest of equals; None of none."""
    return min(reversed(errors), key=_rank, default=None)


def _rank(error: BaseException) -> int:
    text = _text(error)
    return next((at for at, reason in enumerate(_REASONS) if reason.known_by.search(text)), len(_REASONS))


def _text(error: BaseException) -> str:
    """Class and text of an error and of what it was raised from."""
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        seen.append(at)
        at = at.__cause__ or at.__context__
    return "\n".join(f"{type(each).__name__}: {each}" for each in seen)
