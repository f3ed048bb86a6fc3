"""The tree shows the architecture: what each place of the package may import."""

from __future__ import annotations

import grimp
import pytest

# A place, and what of the package it may import besides itself: the table of docs/architecture.md.
MAY_IMPORT: dict[str, set[str]] = {
    "streams": set(),
    "calendar": {"streams"},
    "results": set(),
    "kafka": set(),
    "mapping": {"streams"},
    "sources": {"streams", "calendar", "kafka", "mapping", "recording.errors", "recording.folder", "recording.lines"},
    "recording": {"sources.base", "sources.supervisor"},
    "engine": {"streams", "calendar", "sources.base"},
    "signals": {"engine.tiers", "engine.bars", "engine.minutes", "streams", "calendar"},
    "index": {"signals", "calendar", "results"},
    "alerts": {"signals", "index", "calendar", "streams", "results"},
    "daily": {"calendar", "results", "engine.tiers", "engine.retention", "signals"},
    "checkpoint": {"streams", "engine", "index", "alerts", "daily"},
    "intake": {"results", "sources.base", "engine"},
    "partitions": {"streams", "sources.base", "kafka.names"},
    "stages": {"streams", "results", "sources", "engine", "kafka", "intake", "partitions", "sinks.base"},
    "produce": {"streams", "calendar", "sources", "kafka", "stories"},
    "redrive": {"streams", "sources", "kafka", "sinks.base", "sinks.rejects"},
    "pipeline": {
        "streams", "calendar", "results", "sources.base", "engine", "signals", "index", "alerts", "checkpoint", "daily",
        "intake",
    },
    "journal": {"calendar", "results", "engine", "checkpoint", "pipeline", "told", "sinks.base"},
    "told": {"results"},
    "stories": {"streams", "calendar", "sources", "history"},
    "replay": {"streams", "results", "sources", "engine.watermark", "pipeline", "sinks.base"},
    "live": {
        "streams", "results", "sources", "engine.watermark", "partitions", "pipeline", "journal", "told", "sinks.base",
    },
    "sinks": {"results", "kafka", "runbooks"},
    "page": {"results", "links", "alerts.sentence", "index.constants", "sinks.base", "sinks.http", "sinks.snapshot"},
    "history": {"results"},
    "report": {"results"},
    "progress": set(),
    "links": {"results"},
    "markdown": set(),
    "runbooks": {"links", "markdown"},
    "healthy": set(),
    "generate": {"signals", "alerts", "streams", "results", "links", "markdown", "runbooks", "sinks.metrics"},
    "log": set(),
    "config": {"calendar", "history", "kafka", "links", "log", "mapping", "signals", "sources"},
    "cli": {
        "calendar", "config", "generate", "history", "journal", "links", "live", "log", "mapping", "page", "pipeline",
        "progress", "recording", "replay", "report", "signals", "sinks", "sources", "stories", "streams", "kafka",
        "produce", "redrive", "stages", "engine.block", "engine.decode",
    },
    "__main__": {"cli"},
}  # fmt: skip
WHOLE_PACKAGE = "monitor"


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(WHOLE_PACKAGE, cache_dir=None)


def place_of(module: str) -> str:
    return module.removeprefix(f"{WHOLE_PACKAGE}.").split(".")[0]


def is_allowed(imported: str, allowed: set[str]) -> bool:
    name = imported.removeprefix(f"{WHOLE_PACKAGE}.")
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def test_every_place_is_in_the_table(graph: grimp.ImportGraph) -> None:
    places = {place_of(module) for module in graph.modules if module != WHOLE_PACKAGE}
    assert places == set(MAY_IMPORT)


@pytest.mark.parametrize("place", MAY_IMPORT)
def test_a_place_imports_only_what_it_may(graph: grimp.ImportGraph, place: str) -> None:
    wrong = [
        f"{module} imports {imported}"
        for module in sorted(graph.modules)
        if module != WHOLE_PACKAGE and place_of(module) == place
        for imported in sorted(graph.find_modules_directly_imported_by(module))
        if imported != WHOLE_PACKAGE  # its version
        and place_of(imported) != place
        and not is_allowed(imported, MAY_IMPORT[place])
    ]
    assert not wrong


def test_no_module_imports_itself_in_a_circle(graph: grimp.ImportGraph) -> None:
    circles = [
        module
        for module in graph.modules
        if any(graph.chain_exists(imported, module) for imported in graph.find_modules_directly_imported_by(module))
    ]
    assert not circles
