"""Reads the settings, and says what is wrong in them with the file's line and the setting's name."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsError

from monitor.config.settings import ENV_DELIMITER, ENV_PREFIX, Settings

SECRETS = ("password", "key_password")
"""Settings of [kafka] that no file holds."""


class ConfigError(Exception):
    """The settings are wrong; the message says where and what."""


class _FromFile(InitSettingsSource):
    """What the TOML file says: below flags and environment."""


def load(path: Path | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """The settings out of file, environment and flags.

    Args:
        path: of a TOML file; None: no file.
        flags: a nested dictionary, as the file would say it.

    Raises:
        ConfigError: the file cannot be read, or a setting is wrong.
    """
    text = ""
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
    try:
        from_file = tomllib.loads(text + "\n")  # so that what is wrong in the last line is told with its number
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error

    for secret in SECRETS:
        section = from_file.get("kafka")
        if isinstance(section, dict) and secret in section:
            where = _where(["kafka", secret], {}, path, text)
            variable = f"{ENV_PREFIX}KAFKA{ENV_DELIMITER}{secret.upper()}"
            raise ConfigError(
                f"{where}kafka.{secret}: a secret does not stand in a file that is copied and shown: set {variable}, "
                f"or kafka.{secret}_file"
            )

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            return init_settings, env_settings, _FromFile(settings_cls, from_file)

    try:
        return Loaded(**(flags or {}))
    except SettingsError as error:
        raise ConfigError(_no_json(error)) from error
    except ValidationError as error:
        wrong = [_sentence(each["loc"], each["msg"], flags or {}, path, text) for each in error.errors()]
        raise ConfigError("\n".join(wrong)) from error


def _no_json(error: SettingsError) -> str:
    """The sentence on an environment variable of which pydantic tells no more than its section."""
    section = re.search(r'field "(\w+)"', str(error))
    begin = ENV_PREFIX + (section[1].upper() if section else "")
    variables = [name for name in sorted(os.environ) if name.upper().startswith(begin)]
    return f"{', '.join(variables)}: lists and tables are written as JSON, not so: {error.__cause__}"


def _sentence(
    location: tuple[int | str, ...], message: str, flags: dict[str, Any], path: Path | None, text: str
) -> str:
    """One wrong setting: where it stands, what it is called, what is wrong with it."""
    said = message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "there is no such setting")
    keys = [str(part) for part in location]
    kinds = re.match(r"Input tag '.*' found using '(\w+)' does not match any of the expected tags: (.*)", said)
    if kinds:
        keys.append(kinds[1])
        said = f"Input should be one of {kinds[2]}"
    elif keys[:1] == ["sources"] and len(keys) > 2:
        del keys[2]  # pydantic names the kind of source there, by which it chose what is wanted
    # A check of several settings together names its setting in its own words.
    named = re.match(r"((?:thresholds|sources|mappings)\.[^:]+):", said)
    if not named and keys:
        said = f"{'.'.join(keys)}: {said}"
    return _where(named[1].split(".") if named else keys, flags, path, text) + said


def _where(keys: list[str], flags: dict[str, Any], path: Path | None, text: str) -> str:
    """What says a setting: an environment variable, or a line of the file; nothing of a flag."""
    flag: Any = flags
    for key in keys:
        flag = flag.get(key) if isinstance(flag, dict) else flag
    if flag is not None and not isinstance(flag, dict):
        return ""
    set_ = {name.upper(): name for name in os.environ}
    # What is wrong may be within the variable's value; a whole section is rarely set by one.
    for length in range(len(keys), min(len(keys), 2) - 1, -1):
        if variable := set_.get(ENV_PREFIX + ENV_DELIMITER.join(keys[:length]).upper()):
            return f"{variable}: "
    line = _line_of(text, keys)
    return f"{path}, line {line}: " if path is not None and line else ""


def _line_of(text: str, keys: list[str]) -> int | None:
    """The line of a TOML text on which a setting, or the nearest table around it, stands; None if none does."""
    found: int | None = None
    found_depth = 0
    table: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line)
        if header:
            table = _key_parts(header[1])
            here = table
        else:
            assignment = re.match(r"\s*([\w\-.\"' ]+?)\s*=", line)
            if not assignment:
                continue
            here = table + _key_parts(assignment[1])
        depth = min(len(here), len(keys))  # a table within the setting is of the setting
        if depth > found_depth and here[:depth] == keys[:depth]:
            found, found_depth = number, depth
    return found


def _key_parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
