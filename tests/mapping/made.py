"""Short ways to make mappings for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from monitor.mapping import DropRule, FieldRule, Mapper, Shape

TS = {"ts": FieldRule(paths=("t",)), "instrument": FieldRule(paths=("i",))}
US = 1_700_000_000_000_000


def rule(*paths: str, **how: Any) -> FieldRule:
    return FieldRule(paths=paths, **how)


def treasury(fields: Mapping[str, FieldRule] | None = None, **how: Any) -> Mapper:
    """A mapping to Treasury quotes: `t`, `i` and `b`, unless fields say more."""
    return Mapper(Shape(stream="treasury", fields={**TS, "bid": rule("b"), **(fields or {})}, **how))


def drop(path: str, *among: Any, missing: bool = False) -> DropRule:
    return DropRule(path=path, among=among, missing=missing)


def one(mapper: Mapper, message: Mapping[str, Any] | bytes) -> Any:
    """The only outcome of a message: an event as a dictionary, or why there is none."""
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    [outcome] = mapper.outcomes(payload)
    return json.loads(outcome, parse_float=Decimal) if isinstance(outcome, bytes) else outcome
