"""Mappings in the settings: what is wrong is said with its name and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.config import ConfigError, Settings, load
from monitor.mapping import Dropped

SOURCE = '[sources.desk]\nkind = "file"\npath = "vendor.ndjson"\nmapping = "desk"\n'
MAPPING = """[mappings.desk]
stream = "treasury"
[mappings.desk.fields]
ts = { from = "t", format = "epoch_milliseconds" }
instrument = { from = "i", table = "symbols" }
bid = { from = "b", scale = 1e-9 }
[mappings.desk.tables.symbols]
A = "UST-10Y"
"""


def loaded(folder: Path, text: str) -> Settings:
    path = folder / "monitor.toml"
    path.write_text(text)
    return load(path)


def wrong(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        loaded(folder, text)
    return str(error.value)


def test_a_source_is_mapped_by_the_mapping_that_it_names(tmp_path: Path) -> None:
    mapper = loaded(tmp_path, SOURCE + MAPPING).mapper("desk")
    assert mapper is not None
    assert mapper.outcomes(b'{"t":1700000000123,"i":"A","b":123456789012}') == [
        b'{"ts":1700000000123000,"instrument":"UST-10Y","bid":"123.456789012"}'
    ]


def test_a_source_without_a_mapping_has_none(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SOURCE.replace('mapping = "desk"', "") + MAPPING)
    assert settings.mapper("desk") is None
    assert settings.mapper("another") is None


def test_settings_with_mappings_can_be_printed_and_read_again(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SOURCE + MAPPING)
    said = json.loads(settings.model_dump_json())["mappings"]["desk"]
    assert said["fields"]["bid"] == {
        "from": "b", "constant": None, "scale": 1e-9, "format": None, "values": None, "table": None,
        "unknown": "refuse", "empty": [], "default": None,
    }  # fmt: skip
    assert type(settings.mappings["desk"]).model_validate(said) == settings.mappings["desk"]


def test_whole_messages_are_left_out_by_the_settings(tmp_path: Path) -> None:
    text = MAPPING.replace('"treasury"\n', '"treasury"\nignore = ["PING", "pong"]\n')
    mapper = loaded(tmp_path, SOURCE + text).mapper("desk")
    assert mapper is not None
    assert mapper.outcomes(b"pong") == [Dropped("ignore: 'pong'")]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (SOURCE.replace('g = "desk"', 'g = "dest"') + MAPPING, 4,
         "sources.desk.mapping: there is no [mappings.dest]: did you mean desk?"),
        (SOURCE, 4, "there is no [mappings.desk]: there is none"),
        (SOURCE.replace('.ndjson"', '.csv.gz"') + MAPPING, 4, "a mapping reads NDJSON, and"),
        (SOURCE + 'stream = "repo"\n' + MAPPING, 5, "sources.desk.stream: the mapping desk says it already"),
        (SOURCE + MAPPING.replace('"symbols" }', '"symbol" }'), 5, "fields.instrument: there is no table symbol: did"),
        (SOURCE + MAPPING.replace("bid =", "bids ="), 5, "fields.bids: treasury have no such field: did you mean bid"),
        (SOURCE + MAPPING.replace('stream = "treasury"', ""), 5, "say either stream or stream_by"),
        (SOURCE + MAPPING.replace("1e-9", '"a billionth"'), 10, "mappings.desk.fields.bid.scale: 'a billionth' is no"),
        (SOURCE + MAPPING.replace("1e-9", "true"), 10, "is no decimal number"),
        (SOURCE + MAPPING.replace('from = "b"', 'frm = "b"'), 10, "desk.fields.bid.frm: there is no such setting"),
        (SOURCE + MAPPING + '[[mappings.desk.drop]]\nfrom = "k"\n', 13, "say one of equals, among and missing = true"),
        (SOURCE + MAPPING.replace('table = "symbols"', 'table = "symbols", values = { A = "B" }'), 5, "not both"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    said = wrong(tmp_path, text)
    assert words in said
    assert f"monitor.toml, line {line}: " in said


@pytest.mark.parametrize("kind", ["kafka", "websocket"])
def test_every_kind_of_source_may_be_mapped(tmp_path: Path, kind: str) -> None:
    source = f'[sources.desk]\nkind = "{kind}"\nmapping = "desk"\n'
    settings = loaded(tmp_path, source + ('url = "ws://127.0.0.1:1"\n' if kind == "websocket" else "") + MAPPING)
    assert settings.mapper("desk") is not None
