"""Reads a figure as the browser does: packed numbers as a list, a gap as None, a moment as New York sees it."""

from __future__ import annotations

import base64
import json
import struct
from datetime import UTC, datetime
from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

SIZES = {"f4": ("f", 4), "f8": ("d", 8)}


def decoded(figure: go.Figure) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(figure.to_json())
    for trace in read["data"]:
        is_time = isinstance(trace["x"], dict)
        for letter in ("x", "y"):
            if isinstance(trace[letter], dict):
                trace[letter] = unpacked(trace[letter])
        if is_time:
            trace["x"] = [None if ms is None else moment(ms) for ms in trace["x"]]
    return read


def unpacked(packed: dict[str, str]) -> list[float | None]:
    code, size = SIZES[packed["dtype"]]
    raw = base64.b64decode(packed["bdata"])
    values = struct.unpack(f"<{len(raw) // size}{code}", raw)
    return [None if isnan(value) else float(f"{value:.7g}") if code == "f" else value for value in values]


def moment(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def named(figure: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace["name"] == name]


def texts(figure: dict[str, Any]) -> list[str]:
    return [each["text"] for each in figure["layout"]["annotations"]]
