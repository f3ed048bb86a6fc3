"""The settings of Kafka: what is refused with a sentence, and that no secret shows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config import ConfigError, Settings, load
from monitor.config.kafka import KafkaSourceSettings

SECRET = "hunter2-and-more"  # noqa: S105 - of nothing


def of(folder: Path, text: str) -> Settings:
    file = folder / "monitor.toml"
    file.write_text(text)
    return load(file)


def source_of(settings: Settings) -> KafkaSourceSettings:
    [source] = settings.sources.values()
    assert isinstance(source, KafkaSourceSettings)
    return source


def test_a_source_of_all_that_can_be_said(tmp_path: Path) -> None:
    source = source_of(
        of(
            tmp_path,
            """
            [sources.desk]
            kind = "kafka"
            url = "kafka://a:9093,b"
            pattern = "desk-.*"
            stream = "cds"
            group = "ours"
            start = 2026-03-02T09:00:00Z
            silence_seconds = 60
            """,
        )
    )
    assert (source.pattern, source.stream, source.group, source.silence_seconds) == ("desk-.*", "cds", "ours", 60)
    assert source.start == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_what_is_shipped_is_sound() -> None:
    settings = load(Path(__file__).parents[1] / "deploy/monitor.kafka.toml")
    assert source_of(settings).topics is None
    assert settings.run.state is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('topics = ["a"]\npattern = "b"', "sources.x: name topics or a pattern, not both"),
        ('pattern = "desk-("', "sources.x.pattern: 'desk-(' is no regular expression"),
        ('start = "noon"', "sources.x.start: 'noon' is neither earliest nor latest, nor a moment"),
        ("start = 2026-03-02T09:00:00", "sources.x.start: a moment has its zone"),
        ('url = "http://a"', "sources.x: http://a does not begin with kafka://"),
        ("topics = []", "sources.x.topics: Tuple should have at least 1 item"),
        ("session_seconds = 0.1", "sources.x.session_seconds: Input should be greater than or equal to 1"),
    ],
)
def test_what_is_wrong_with_a_source_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        of(tmp_path, f'[sources.x]\nkind = "kafka"\n{text}')
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"{tmp_path / 'monitor.toml'}, line ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('security = "SASL_SSL"\nusername = "m"', "security SASL_SSL needs username and password"),
        ('username = "m"', "username"),
        ('security = "SSL"\nca_file = "/none/such.pem"', "/none/such.pem"),
        (
            'security = "SASL_SSL"\nusername = "m"\npassword_file = "/none/such"',
            "password_file /none/such cannot be read",
        ),
        ('url = "kafka://"', "kafka://"),
    ],
)
def test_a_connection_that_cannot_work_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match="kafka") as raised:
        of(tmp_path, f"[kafka]\n{text}")
    assert said in str(raised.value)


def test_a_secret_in_the_file_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        of(tmp_path, f'[kafka]\nsecurity = "SASL_SSL"\nusername = "m"\npassword = "{SECRET}"')
    assert "MONITOR_KAFKA__PASSWORD" in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_secret_comes_from_the_environment_or_a_file_and_shows_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = '[kafka]\nsecurity = "SASL_SSL"\nusername = "m"\n'
    (tmp_path / "secret").write_text(SECRET + "\n")
    of_file = of(tmp_path, f"{section}password_file = '{tmp_path / 'secret'}'")
    monkeypatch.setenv("MONITOR_KAFKA__PASSWORD", SECRET)
    of_environment = of(tmp_path, section)
    for settings in (of_file, of_environment):
        password = settings.kafka.connection().password
        assert password is not None
        assert password.get_secret_value() == SECRET
        assert SECRET not in settings.model_dump_json() + repr(settings) + repr(settings.kafka.connection())


def test_a_secret_given_twice_is_refused_without_a_word_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text(SECRET)
    monkeypatch.setenv("MONITOR_KAFKA__PASSWORD", SECRET)
    with pytest.raises(ConfigError, match="password or password_file, not both") as raised:
        of(tmp_path, f"[kafka]\nsecurity = 'SASL_SSL'\nusername = 'm'\npassword_file = '{tmp_path / 'secret'}'")
    assert SECRET not in str(raised.value)
