"""How many events a second a mapping makes on one core: `python -m tests.bench.mapping`."""

from __future__ import annotations

import time
from pathlib import Path

from monitor.config import load
from monitor.mapping import Mapper

EXAMPLES = Path(__file__).parents[2] / "deploy" / "mappings"
EVENTS = 100_000
ROUNDS = 3


def events_a_second(mapper: Mapper, payloads: list[bytes]) -> float:
    """The best of a few rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        made = sum(len(mapper.outcomes(payload)) for payload in payloads)
        best = max(best, made / (time.perf_counter() - began))
    return best


def main() -> None:
    """Say it of the good lines of each example."""
    for path in sorted(EXAMPLES.glob("*.toml")):
        [mapper] = [each.mapper() for each in load(path).mappings.values()]
        lines = path.with_suffix(".sample.ndjson").read_bytes().splitlines()
        good = [
            line for line in lines if (made := mapper.outcomes(line)) and all(isinstance(each, bytes) for each in made)
        ]
        payloads = good * (EVENTS // len(good))
        print(f"{path.stem}: {events_a_second(mapper, payloads):,.0f} events a second")  # noqa: T201 - to the terminal


if __name__ == "__main__":
    main()
