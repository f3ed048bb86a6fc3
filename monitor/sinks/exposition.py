"""The text format of Prometheus, for tens of thousands of series that change every second.

The client library makes an object a sample and escapes each label anew at every scrape; at 50,000 series that is half a
second in which ticks have to share the interpreter with it. A label set never changes, so its text is made once, when
it is first seen, and a scrape only puts names, texts and numbers together. What is written is a part of both formats,
Prometheus' and OpenMetrics', which differ in gauges by nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_IN_LABELS: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_IN_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})

Series = tuple[str, float]
"""The text of a label set, and its value."""


def label_text(labels: Mapping[str, str]) -> str:
    r"""A label set as it stands after a metric's name.

    >>> label_text({"instrument": 'GC "ON"', "window": "30m"}), label_text({})
    ('{instrument="GC \\"ON\\"",window="30m"}', '')
    """
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{labels[name].translate(_IN_LABELS)}"' for name in sorted(labels)) + "}"


def gauge_text(name: str, help_: str, series: Iterable[Series]) -> str:
    """A gauge with its series.

    >>> print(gauge_text("market_repo_tail_bp", "How much more.", [('{window="30m"}', 12.5)]), end="")
    # HELP market_repo_tail_bp How much more.
    # TYPE market_repo_tail_bp gauge
    market_repo_tail_bp{window="30m"} 12.5
    """
    lines = [f"# HELP {name} {help_.translate(_IN_HELP)}\n# TYPE {name} gauge\n"]
    lines += [f"{name}{labels} {floatToGoString(value)}\n" for labels, value in series]
    return "".join(lines)
