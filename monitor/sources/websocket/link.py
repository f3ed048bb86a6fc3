"""How a feed is reached: its address, who we are to it, and what is sent when the connection stands.

What is secret, the token and the values of headers, is in no text of an error and in no line of the log.
"""

from __future__ import annotations

import json
import logging
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import reconnect

from monitor.sources.base import SourceError
from monitor.sources.errors import error_text
from monitor.sources.websocket.reasons import why_closed, why_not_connected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from websockets.sync.client import ClientConnection

HEADER: Final = "header"
QUERY: Final = "query"
SUBSCRIBE: Final = "subscribe"
PLACE_OF_TOKEN: Final = "{token}"  # noqa: S105 - where it goes
"""Stands in a subscribe message where the token goes."""
MAX_FRAME_BYTES: Final = 4 << 20
QUEUED_FRAMES: Final = 16
"""While more frames wait to be taken, nothing is read: so the server is held up, and nothing is dropped."""

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_SECRET: Final = "(secret)"  # noqa: S105 - stands where one stood
_SCHEMES: Final = {"Bearer", "Basic", "Digest", "Token"}
_LEAST_SECRET: Final = 4
"""A shorter text is no secret, and is part of many words."""

# The library writes headers, and so secrets, at the level debug.
_QUIET: Final = logging.getLogger("monitor.websocket")
_QUIET.setLevel(logging.WARNING)


class _Attempt(reconnect):
    """One attempt to connect, which is not sent elsewhere: a token is for the host that the settings name."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """An answer that sends us elsewhere is an error like any other."""
        return exc


@dataclass(frozen=True, slots=True)
class Link:
    """How a feed is reached.

    Attributes:
        url: ws://HOST:PORT/PATH or wss://.
        subscribe: messages that are sent as they stand, in this order, whenever the connection stands.
        headers: of the request, by name.
        token: who we are; None if token_file says it, or nothing does.
        token_file: holds it; it is read at every attempt, so it may be replaced.
        token_in: `header` (Authorization: Bearer), `header:NAME`, `query:NAME`, or `subscribe`: where its messages have
            `{token}`.
        ca_file: PEM: who signed the server's certificate; None: whom the system trusts.
        max_frame_bytes: a longer frame breaks the connection.
        has_compression: whether permessage-deflate is offered.
        open_seconds: for TCP, TLS and the handshake together.
    """

    url: str
    subscribe: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    token_in: str = HEADER
    ca_file: Path | None = None
    max_frame_bytes: int = MAX_FRAME_BYTES
    has_compression: bool = True
    open_seconds: float = 10.0

    @property
    def address(self) -> str:
        """The URL for people: without its query, where secrets may stand."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"

    def connect(self) -> ClientConnection:
        """Connect, say who we are, and subscribe.

        Raises:
            SourceError: it cannot be reached, or refuses us, with the reason and what to do.
        """
        token = self._read_token()
        url, headers = self.url, dict(self.headers)
        where, _, name = self.token_in.partition(":")
        if token is not None and where == QUERY:
            url += f"{'&' if urlsplit(url).query else '?'}{quote(name, safe='')}={quote(token, safe='')}"
        elif token is not None and where == HEADER:
            headers |= {name: token} if name else {"Authorization": f"Bearer {token}"}
        try:
            attempt = _Attempt(
                url,
                ssl=self._trust() if urlsplit(url).scheme == "wss" else None,
                additional_headers=headers,
                compression="deflate" if self.has_compression else None,
                open_timeout=self.open_seconds,
                ping_interval=None,  # the source's own pings know when it was us who did not listen
                close_timeout=1.0,
                max_size=self.max_frame_bytes,
                max_queue=QUEUED_FRAMES,
                logger=_QUIET,
            )
            # It ends with `close`, in the source.
            connection = attempt.__enter__()
        except (OSError, WebSocketException, ValueError, ImportError) as error:
            raise self.failed(why_not_connected(error, self.open_seconds), token) from None
        # A server that reads nothing must not hold up whoever subscribes, or answers a ping, for ever.
        with suppress(OSError):  # it has broken off already: whoever sends or reads next is told
            connection.socket.settimeout(self.open_seconds)
        try:
            for message in self.subscribe:
                connection.send(_with_token(message, token) if where == SUBSCRIBE and token else message)
        except ConnectionClosed as error:
            connection.close()
            raise self.failed(why_closed(error, self.max_frame_bytes), token) from None
        return connection

    def lost(self, error: ConnectionClosed) -> SourceError:
        """What is said of a connection that is there no more."""
        token = None
        with suppress(SourceError):  # what is wrong with it is said when it is wanted
            token = self._read_token()
        return self.failed(why_closed(error, self.max_frame_bytes), token)

    def failed(self, why: str, token: str | None = None) -> SourceError:
        """An error on this feed, without its secrets, whoever has put them into the reason.

        Args:
            why: the reason.
            token: as it was read for this attempt.
        """
        words = {word for value in self.headers.values() for word in value.split()} - _SCHEMES
        secrets = {self.token, token, *self.headers.values(), *words} - {None}
        for secret in sorted((each for each in secrets if each and len(each) >= _LEAST_SECRET), key=len, reverse=True):
            for text in (secret, quote(secret, safe="")):
                why = why.replace(text, _SECRET)
        return SourceError(f"{self.address}: {why}")

    def _read_token(self) -> str | None:
        token = self.token
        if self.token_file is not None:
            try:
                token = self.token_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                why = error_text(error) if isinstance(error, OSError) else "it is no UTF-8 text"
                raise self.failed(f"token_file {self.token_file} cannot be read: {why}") from None
        if token is not None and not _TOKEN.fullmatch(token):
            which = "token" if self.token_file is None else f"token_file {self.token_file}"
            raise self.failed(f"{which} holds no token: one word of ASCII letters, digits and signs")
        return token

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ValueError) as error:
            why = "it holds no certificates" if isinstance(error, ssl.SSLError) else error_text(error)
            raise self.failed(f"ca_file {self.ca_file} cannot be read: {why}") from None


def _with_token(message: str, token: str) -> str:
    """The message with the token in its place, as the inside of a JSON string."""
    return message.replace(PLACE_OF_TOKEN, json.dumps(token)[1:-1])
