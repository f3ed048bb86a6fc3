"""Reads what is deployed: the compose file as Docker Compose would, the Dockerfile's instructions."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
COMPOSE: Final = DEPLOY / "compose.yaml"
DOCKERFILE: Final = DEPLOY / "Dockerfile"

_VARIABLE: Final = re.compile(r"\$\{(\w+):-([^}]*)\}")


def compose(**variables: str) -> dict[str, Any]:
    """The compose file, its variables filled in."""
    text = COMPOSE.read_text(encoding="utf-8")
    filled = _VARIABLE.sub(lambda found: variables.get(found[1], found[2]), text)
    assert "${" not in filled, "a variable of the compose file has no default"
    read = yaml.safe_load(filled)
    assert isinstance(read, dict)
    return read


def seconds_of(duration: str) -> float:
    """The seconds of a duration as compose files and Dockerfiles write it."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert found, duration
    return 60.0 * int(found[1] or 0) + int(found[2] or 0)


@dataclass
class Stage:
    """One stage of a Dockerfile.

    Attributes:
        base: what it is built from.
        name: as other stages call it.
        instructions: (name in capitals, the rest of it), in their order.
    """

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """What stands behind an instruction, each time."""
        return [rest for name, rest in self.instructions if name == instruction]

    def last(self, instruction: str) -> str:
        """What stands behind an instruction the last time, which is what counts."""
        assert self.all(instruction), f"{instruction} is missing"
        return self.all(instruction)[-1]

    def command(self, instruction: str) -> list[str]:
        """The words of an instruction in exec form; without a shell signals reach the program."""
        rest = self.last(instruction)
        if instruction == "HEALTHCHECK":
            rest = rest.partition("CMD")[2].strip()
        words = json.loads(rest)
        assert isinstance(words, list)
        assert all(isinstance(word, str) for word in words)
        return words

    def environment(self) -> dict[str, str]:
        """Its ENV."""
        return dict(pair.split("=", 1) for rest in self.all("ENV") for pair in shlex.split(rest))


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile; its instructions may go on over lines that end with a backslash."""
    found: list[Stage] = []
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for statement in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        name, _, rest = " ".join(statement.split()).partition(" ")
        if name == "FROM":
            base, _, called = rest.partition(" AS ")
            found.append(Stage(base, called))
        else:
            assert found, f"{name} stands before the first FROM"
            found[-1].instructions.append((name, rest))
    return found


def image() -> Stage:
    """The last stage of the Dockerfile, of which the image is."""
    return stages(DOCKERFILE.read_text(encoding="utf-8"))[-1]
