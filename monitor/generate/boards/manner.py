"""The manner of all boards: colours, words, units. A colour means a level only, and a level is said in a word, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions,
    DashboardSpecialValueMapOptions,
    DynamicConfigValue,
    RangeMap,
    SpecialValueMap,
    SpecialValueMatch,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from monitor.results import BLIND as BLIND_WORD
from monitor.results import REGIMES, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of Okabe and Ito: safe for the colour-blind. Never green against red.
WARNING: Final = "#E69F00"
CRITICAL: Final = "#D55E00"
BLIND: Final = "#999999"
INFORMATION: Final = "#0072B2"
CALM: Final = "#808080"
"""Of lines: seen on a dark and on a light background."""
CALM_AREA: Final = "rgba(128, 128, 128, 0.2)"
TEXT: Final = "text"
"""The theme's own."""
NONE: Final = "transparent"
COLOUR_OF_LEVEL: Final = {Level.WARNING: WARNING, Level.CRITICAL: CRITICAL}

BLIND_STEP: Final = len(Level)
"""A level, and this besides while it is blind: so one number says both."""
NOT_SEEN: Final = 2 * BLIND_STEP
"""Stands for a level where nothing is said of one."""


@dataclass(frozen=True, slots=True)
class Unit:
    """How a number is shown.

    Attributes:
        shown: the id of a unit of Grafana's.
        decimals: as many as mean something.
        factor: what a value is multiplied by.
    """

    shown: str
    decimals: int
    factor: float = 1

    def of(self, expr: str) -> str:
        """PromQL of the value in this unit.

        >>> Unit("currencyUSD", 1, 1e9).of("x"), Unit("suffix:bp", 0).of("x")
        ('1e+09 * (x)', 'x')
        """
        return expr if self.factor == 1 else f"{self.factor:g} * ({expr})"


BP: Final = Unit("suffix:bp", 0)
TENTH_BP: Final = Unit("suffix:bp", 1)
THIRTY_SECONDS: Final = Unit("suffix:32nds", 2)
PERCENT: Final = Unit("percentunit", 0)
TENTH_PERCENT: Final = Unit("percentunit", 1)
TIMES: Final = Unit("suffix:x", 1)
INDEX: Final = Unit("none", 2)
COUNT: Final = Unit("none", 0)
DAYS: Final = Unit("suffix:days", 0)
SECONDS: Final = Unit("s", 0)
FEW_SECONDS: Final = Unit("s", 2)
MOMENT: Final = Unit("dateTimeAsIso", 0, 1_000)
"""An event time in seconds, on the board in New York time."""
MILLION_USD: Final = Unit("currencyUSD", 1, 1e6)
BILLION_USD: Final = Unit("currencyUSD", 1, 1e9)
A_SECOND: Final = Unit("suffix:/s", 1)
BYTES: Final = Unit("bytes", 0)
BYTES_A_SECOND: Final = Unit("Bps", 0)
LEVEL: Final = Unit("none", 0)
"""A number that words stand for."""

_UNITS: Final = {
    "bp": TENTH_BP, "32nds": THIRTY_SECONDS, "zscore": Unit("none", 1), "musd": MILLION_USD, "busd": BILLION_USD,
    "ratio": PERCENT, "count": COUNT, "days": DAYS,
}  # fmt: skip


def unit_of(signal_unit: str) -> Unit:
    """How a signal of that unit is shown; as it comes where a signal is of many."""
    return _UNITS.get(signal_unit, Unit("none", 2))


def words(texts: Mapping[float, tuple[str, str]]) -> ValueMapping:
    """A mapping of values to a text and a colour."""
    return ValueMap({
        f"{value:g}": ValueMappingResult(text=text, color=colour, index=i)
        for i, (value, (text, colour)) in enumerate(texts.items())
    })  # fmt: skip


def unknown(text: str) -> ValueMapping:
    """What stands where there is no number."""
    result = ValueMappingResult(text=text, color=BLIND)
    return SpecialValueMap(DashboardSpecialValueMapOptions(SpecialValueMatch.NULL_AND_NAN, result))


def between(low: float | None, high: float | None, text: str, colour: str) -> ValueMapping:
    """A text for a range of values."""
    return RangeMap(DashboardRangeMapOptions(low, high, ValueMappingResult(text=text, color=colour)))


_MARKS: Final = {Level.CALM: "", Level.WARNING: "▲ ", Level.CRITICAL: "◆ "}
"""A shape besides the colour."""
MARKED: Final = {level: (_MARKS[level], colour) for level, colour in COLOUR_OF_LEVEL.items()}
"""By level that is not calm its shape and its colour."""


def level_words() -> list[ValueMapping]:
    """Levels in words; one that was known before its input was lost is said with it."""
    texts = {float(level): (_MARKS[level] + level.word, COLOUR_OF_LEVEL.get(level, CALM_AREA)) for level in Level}
    texts[BLIND_STEP] = (f"▨ {BLIND_WORD}", BLIND)
    for level, colour in COLOUR_OF_LEVEL.items():
        texts[BLIND_STEP + level] = (f"▨ {BLIND_WORD}, {level.word} stands", colour)
    texts[NOT_SEEN] = ("▨ not seen", BLIND)
    return [words(texts), unknown("▨ not known")]


def regime_words() -> list[ValueMapping]:
    """The regimes in words."""
    colours = (TEXT, INFORMATION, WARNING, CRITICAL)
    marks = ("", "△ ", "▲ ", "◆ ")
    texts = {
        float(i): (mark + regime.upper(), colour)
        for i, (regime, colour, mark) in enumerate(zip(REGIMES, colours, marks, strict=True))
    }
    return [words(texts), unknown("▨ not known")]


def properties(**values: object) -> list[DynamicConfigValue]:
    """What an override sets: `custom_lineWidth=1` is `custom.lineWidth`."""
    return [DynamicConfigValue(name.replace("_", "."), value) for name, value in values.items()]


def fixed(colour: str) -> dict[str, object]:
    """A colour that does not depend on the value."""
    return {"mode": "fixed", "fixedColor": colour}


def dashed(colour: str, width: int = 1) -> list[DynamicConfigValue]:
    """A line that is no measurement: a threshold, a rate in force."""
    return properties(
        color=fixed(colour), custom_lineStyle={"fill": "dash", "dash": [8, 6]}, custom_lineWidth=width,
        custom_fillOpacity=0, custom_stacking={"mode": "none", "group": "B"}, custom_showPoints="never",
    )  # fmt: skip
