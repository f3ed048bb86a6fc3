"""Why a feed could not be reached, or was lost: a sentence for people, with what to do, out of a library's error."""

from __future__ import annotations

import re
import socket
import ssl
from typing import Final

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    NegotiationError,
    ProxyError,
)
from websockets.frames import CloseCode

from monitor.sources.errors import error_text

_CERTIFICATE: Final = (
    ("hostname mismatch|ip address mismatch", "the server's certificate is not for the host of url"),
    ("has expired", "the server's certificate has expired; its owner must renew it"),
    ("not yet valid", "the server's certificate is not valid yet; is this machine's clock right?"),
    ("", "the server's certificate is not signed by an authority that is trusted here; name its own by ca_file"),
)
_STATUS: Final = {
    401: "the server does not know who we are (HTTP 401); look at token or token_file, token_in and headers",
    403: "the server lets us not in (HTTP 403); look at token or token_file, token_in and headers",
    404: "the server has nothing at this path (HTTP 404); look at url",
    429: "the server says that we connect too often (HTTP 429)",
}
_ELSEWHERE: Final = (300, 301, 302, 303, 307, 308)
_NOT_CONNECTED: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (ssl.SSLError, "no TLS is spoken there, or none that is ours; is url ws:// in place of wss://?"),
    (socket.gaierror, "the host of url cannot be found"),
    (ConnectionRefusedError, "nothing listens there; look at url, or wait until the feed is up"),
    (ImportError, "the proxy that the environment names is of a kind (SOCKS) that is not supported"),
    (InvalidProxy, "the proxy that the environment names has no address that can be used"),
    (ProxyError, "the proxy that the environment names does not let us through"),
    (NegotiationError, "the server wants extensions that we do not have; try compression = false"),
    (InvalidHandshake, "what answers there is no WebSocket server, or speaks TLS; look at url"),
)


def why_not_connected(error: BaseException, open_seconds: float) -> str:
    """Why no connection came about.

    Args:
        error: of the attempt.
        open_seconds: how long it was given.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error)
    if isinstance(error, InvalidStatus):
        return _status(error.response.status_code)
    if isinstance(error, TimeoutError):
        return f"no answer came within {open_seconds:g} s (open_seconds)"
    return next((line for kind, line in _NOT_CONNECTED if isinstance(error, kind)), error_text(error))


def why_closed(error: ConnectionClosed, max_frame_bytes: int) -> str:
    """Why a connection that stood is there no more.

    Args:
        error: as the library tells it.
        max_frame_bytes: the longest frame that is taken.
    """
    ours, theirs = error.sent, error.rcvd
    if ours is not None and (theirs is None or not error.rcvd_then_sent):
        if ours.code == CloseCode.MESSAGE_TOO_BIG:
            return (
                f"the server sent a frame of more than {max_frame_bytes} bytes, or in too many parts; raise "
                "max_frame_bytes if that is right"
            )
        return f"the server broke the protocol ({ours.reason or ours.code})"
    if theirs is not None:
        said = f"{theirs.code} {theirs.reason}".strip()
        return f"the server closed the connection ({said})"
    return "the connection broke off"


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    return next(line for known_by, line in _CERTIFICATE if re.search(known_by, str(error), re.IGNORECASE))


def _status(code: int) -> str:
    if code in _STATUS:
        return _STATUS[code]
    if code in _ELSEWHERE:
        return f"the server sends us elsewhere (HTTP {code}), where no token is taken to; put that address into url"
    return f"the server answers HTTP {code} and no WebSocket"
