"""The settings of a feed over WebSocket."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_serializer, field_validator, model_validator

from monitor.config.section import Section
from monitor.sources.websocket.link import HEADER, MAX_FRAME_BYTES, PLACE_OF_TOKEN, SUBSCRIBE, Link
from monitor.sources.websocket.numbers import Numbers

_PATH = re.compile(r'[^\s."\\]+(\.[^\s."\\]+)*')
_OURS = re.compile(r"host|connection|upgrade|sec-websocket-.*|content-length|transfer-encoding", re.IGNORECASE)
"""Headers that the protocol sets."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN_IN = re.compile(r"subscribe|header|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+|query:\S+")


class WebSocketSourceSettings(Section):
    """[sources.NAME] of kind websocket: a feed, of what it sends while we are connected."""

    kind: Literal["websocket"]
    url: str = Field(description="ws://HOST:PORT/PATH, or wss:// for TLS; without a user, a password or a token.")
    stream: Literal["treasury", "repo", "newissue", "cds", "reference"] | None = Field(
        None, description="The stream of every event; none: each object says its own in `stream`."
    )
    mapping: str | None = Field(None, min_length=1, description="[mappings.NAME] that makes our events of theirs.")
    subscribe: tuple[str, ...] = Field(
        (), description="Messages that are sent as they stand, in this order, whenever it is connected."
    )
    headers: dict[str, SecretStr] = Field({}, description="Of the request, by name; their values are never shown.")
    token: SecretStr | None = Field(None, description="Who we are, by MONITOR_SOURCES__NAME__TOKEN; better in a file.")
    token_file: Path | None = Field(None, description="Holds it; read again at every connection.")
    token_in: str = Field(
        HEADER,
        description="header (Authorization: Bearer TOKEN), header:NAME, query:NAME of the URL, or subscribe: where its "
        "messages have {token}.",
    )
    ca_file: Path | None = Field(None, description="PEM: who signed the server's certificate. Default: the system's.")
    ping_seconds: float = Field(
        20.0, gt=0, le=3600, description="So often it is pinged; with no answer for as long it is connected anew."
    )
    silence_seconds: float | None = Field(None, gt=0, description="Silence for so long means it is connected anew.")
    max_frame_bytes: int = Field(MAX_FRAME_BYTES, ge=1, le=1 << 30, description="A longer frame breaks the connection.")
    compression: bool = Field(True, description="Whether permessage-deflate is offered.")
    open_seconds: float = Field(10.0, gt=0, le=300, description="For TCP, TLS and the handshake together.")
    sequence: str | None = Field(
        None, min_length=1, description="Where an object has the feed's own number, with dots between names."
    )
    sequence_of: Literal["frame", "event"] = Field("event", description="What the numbers count.")

    def link(self) -> Link:
        """How the feed is reached."""
        return Link(
            url=self.url,
            subscribe=self.subscribe,
            headers={name: value.get_secret_value() for name, value in self.headers.items()},
            token=self.token.get_secret_value() if self.token else None,
            token_file=self.token_file,
            token_in=self.token_in,
            ca_file=self.ca_file,
            max_frame_bytes=self.max_frame_bytes,
            has_compression=self.compression,
            open_seconds=self.open_seconds,
        )

    def numbers(self, name: str) -> Numbers | None:
        """What looks at the feed's own numbers; None if it has none."""
        return Numbers(name, self.sequence, self.sequence_of) if self.sequence else None

    @field_validator("url")
    @classmethod
    def _a_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            is_whole = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_whole = False
        if not is_whole or parts.fragment or not url.isascii() or re.search(r"\s", url):
            raise ValueError("it is not of the form ws://HOST:PORT/PATH or wss://HOST:PORT/PATH")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a URL is shown to people: put the user and the password into headers or token_file")
        return url

    @field_serializer("url", when_used="json")
    def _without_secrets(self, url: str) -> str:
        """As it is shown: values of its query may be keys."""
        return re.sub(r"=[^&]+", "=(hidden)", url)

    @field_validator("token_in")
    @classmethod
    def _a_place(cls, token_in: str) -> str:
        if not _TOKEN_IN.fullmatch(token_in):
            raise ValueError("a token goes in header, header:NAME, query:NAME or subscribe")
        return token_in

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            text = value.get_secret_value()
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a header")
            if _OURS.fullmatch(name):
                raise ValueError(f"{name} is a header that the connection itself sets")
            if not text.isascii() or not text.isprintable():
                raise ValueError(f"the value of {name} is not of ASCII letters, digits and signs on one line")
        return headers

    @field_validator("sequence")
    @classmethod
    def _a_path(cls, sequence: str | None) -> str | None:
        if sequence is not None and not _PATH.fullmatch(sequence):
            raise ValueError("it is names with single dots between them, such as header.number")
        return sequence

    @model_validator(mode="after")
    def _one_token(self) -> WebSocketSourceSettings:
        if self.token is not None and self.token_file is not None:
            raise ValueError("give token or token_file, not both")
        if (self.token_in == SUBSCRIBE) != any(PLACE_OF_TOKEN in message for message in self.subscribe):
            raise ValueError(
                f'{PLACE_OF_TOKEN} stands in a message of subscribe where token_in = "{SUBSCRIBE}", or not at all'
            )
        return self
