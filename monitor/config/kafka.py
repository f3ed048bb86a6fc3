"""The settings of everything that goes by Kafka: the brokers, sources, refused events, results for other programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, SecretStr, field_validator, model_validator

from monitor.config.section import Section
from monitor.kafka.connection import KafkaConnection, brokers_of
from monitor.kafka.names import MOST_TOPIC_CHARS, is_topic
from monitor.sources.kafka.topics import DEFAULT_TOPICS, Topics

DEFAULT_URL = "kafka://127.0.0.1:9092"


class KafkaSettings(Section):
    """How brokers are reached, and who the monitor is to them. Secrets come from the environment or from files."""

    url: str = Field(DEFAULT_URL, description="kafka://HOST:PORT, several with commas; a source may name its own.")
    security: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = Field("PLAINTEXT", description="Of all connections.")
    ca_file: Path | None = Field(None, description="PEM: who signed the brokers' certificates. Default: the system's.")
    cert_file: Path | None = Field(None, description="PEM: our own certificate, where brokers ask for one.")
    key_file: Path | None = Field(None, description="PEM: its key.")
    key_password: SecretStr | None = Field(None, description="Of the key; better in a file.")
    key_password_file: Path | None = Field(None, description="Holds it.")
    mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = Field("SCRAM-SHA-512", description="Of SASL_SSL.")
    username: str | None = Field(None, description="Of SASL_SSL.")
    password: SecretStr | None = Field(None, description="Of SASL_SSL, by MONITOR_KAFKA__PASSWORD only.")
    password_file: Path | None = Field(None, description="Holds it.")

    def connection(self, url: str | None = None) -> KafkaConnection:
        """How the brokers of a URL, or of the settings' own, are reached; ValueError if that cannot work."""
        return KafkaConnection(
            brokers=brokers_of(url or self.url),
            security=self.security,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            key_password=_secret("key_password", self.key_password, self.key_password_file),
            mechanism=self.mechanism,
            username=self.username,
            password=_secret("password", self.password, self.password_file),
        )

    @model_validator(mode="after")
    def _can_work(self) -> KafkaSettings:
        self.connection()
        return self


class KafkaSourceSettings(Section):
    """[sources.NAME] of kind kafka: topics, each read from where the state, or else `start`, says."""

    kind: Literal["kafka"]
    url: str | None = Field(None, description="kafka://HOST:PORT, several with commas. Default: that of [kafka].")
    topics: tuple[str, ...] | None = Field(None, min_length=1, description="Default: the five of docs/streams.md.")
    pattern: str | None = Field(None, min_length=1, description="In place of topics: all that this expression matches.")
    stream: Literal["treasury", "repo", "newissue", "cds", "reference"] | None = Field(
        None, description="Of every event. Default: by the topic, and where that says none by each object's `stream`."
    )
    mapping: str | None = Field(None, min_length=1, description="[mappings.NAME] that makes our events of theirs.")
    group: str = Field("market-stress-monitor", min_length=1, max_length=200, description="Commits go by this name.")
    start: Literal["earliest", "latest"] | AwareDatetime = Field(
        "earliest", description="Where a partition is begun that was never read; a moment is by the broker's time."
    )
    session_seconds: float = Field(
        10.0,
        ge=1,
        le=300,
        description="Stage bars: partitions of a process that gives no sign for so long go to others.",
    )
    silence_seconds: float | None = Field(None, gt=0, description="Silence for so long means it is connected anew.")

    @field_validator("start", mode="before")
    @classmethod
    def _a_start(cls, start: object) -> object:
        if isinstance(start, str) and start not in ("earliest", "latest"):
            try:
                start = datetime.fromisoformat(start)
            except ValueError as error:
                raise ValueError(f"{start!r} is neither earliest nor latest, nor a moment") from error
        if isinstance(start, datetime) and start.tzinfo is None:
            raise ValueError("a moment has its zone: 2026-06-12T08:29:00-04:00")
        return start

    @field_validator("pattern")
    @classmethod
    def _a_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(Topics(pattern=pattern or "").whole_pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _one_way(self) -> KafkaSourceSettings:
        if self.topics and self.pattern:
            raise ValueError("name topics or a pattern, not both")
        if self.url is not None:
            brokers_of(self.url)
        for topic in self.topics or ():
            _check_topic("topics", topic)
        return self

    def reads(self) -> Topics:
        """Which topics it reads."""
        return Topics(pattern=self.pattern) if self.pattern else Topics(self.topics or DEFAULT_TOPICS)


class RejectSettings(Section):
    """Where refused events are kept, each with its bytes and why it was refused."""

    to: Literal["file", "kafka", "none"] = Field(
        "file", description="kafka: to TOPIC.rejects of their topic. file: see path. none: only counted."
    )
    path: Path | None = Field(None, description="NDJSON. Default: rejects.jsonl in the folder of the state.")
    most: int = Field(1_000_000, ge=1, description="So many are kept in the file; of more, the log says so.")


class BarsSettings(Section):
    """The topic of bars, by which processes that seal (run.stage) hand them to those that make signals of them."""

    topic: str = Field(
        "monitor.bars", min_length=1, description="Made if it is not there; its partitions stay as many."
    )
    keep_days: int = Field(30, ge=1, description="For how long bars are kept in it, if it is made here.")
    replication: int | None = Field(None, ge=1, description="How many copies, if it is made here.")


class PublishSettings(Section):
    """Results as Kafka messages, for other programs; none unless a topic is named."""

    alerts_topic: str | None = Field(None, min_length=1, description="Alert transitions, keyed by alert and labels.")
    index_topic: str | None = Field(None, min_length=1, description="The stress index as it changes.")

    @model_validator(mode="after")
    def _names(self) -> PublishSettings:
        for name, topic in (("alerts_topic", self.alerts_topic), ("index_topic", self.index_topic)):
            if topic is not None:
                _check_topic(name, topic)
        return self


def both_read(sources: Mapping[str, KafkaSourceSettings]) -> str | None:
    """A sentence on two sources that read a topic of one name, which would be taken for one; None if there are none.

    What two patterns match cannot be known before the topics are there; equal ones match the same.
    """
    for (one, first), (other, second) in combinations(sources.items(), 2):
        a, b = first.reads(), second.reads()
        same = set(b.among(a.names)) if a.pattern is None else set(a.among(b.names)) if b.pattern is None else set()
        if same or (a.pattern is not None and a.pattern == b.pattern):
            what = ", ".join(sorted(same)) or f"what matches {a.pattern}"
            return (
                f"sources.{other}: it reads {what} as {one} does, and a position is known by its topic alone: name "
                "topics that differ, or let a monitor of its own read the other cluster"
            )
    return None


def _check_topic(setting: str, topic: str) -> None:
    if not is_topic(topic):
        raise ValueError(
            f"{setting}: {topic!r} is no name of a topic: letters, digits, '.', '_' and '-', at most {MOST_TOPIC_CHARS}"
        )


def _secret(name: str, given: SecretStr | None, file: Path | None) -> SecretStr | None:
    if file is None:
        return given
    if given is not None:
        raise ValueError(f"give {name} or {name}_file, not both")
    try:
        return SecretStr(file.read_text(encoding="utf-8").rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_file {file} cannot be read: {error}") from error
