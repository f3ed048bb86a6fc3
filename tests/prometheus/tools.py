"""Prometheus' and Alertmanager's own programs, and the generated files laid out for them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from monitor.generate import alertmanager, rules
from monitor.generate.facts import Facts

MUST_NOT_SKIP: Final = "CI_MUST_NOT_SKIP"
"""Where this environment variable is set a missing program fails the tests that need it."""
_PACKAGES: Final = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "chromium": "chromium",
}


def need(program: str) -> str:
    """The program's path; skips the test if it is missing, fails it where nothing may be skipped."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is missing: apt-get install {_PACKAGES[program]}"
        if os.environ.get(MUST_NOT_SKIP):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return path


def lay_out(folder: Path, facts: Facts | None = None, changes: Mapping[str, str] | None = None) -> Path:
    """Write the generated files below a folder.

    Args:
        folder: where.
        facts: what they are made of; None: the defaults.
        changes: text to put in another's place in every rule; each must be there.
    """
    facts = facts or Facts()
    files = {**rules.files(facts), **alertmanager.files(facts)}
    for old, new in (changes or {}).items():
        assert any(old in text for name, text in files.items() if "/rules/" in name), f"no rule has {old!r}"
        files = {name: text.replace(old, new) if "/rules/" in name else text for name, text in files.items()}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run to the end; both outputs in `stdout`."""
    return subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=200,
    )  # fmt: skip


def all_rules(facts: Facts | None = None) -> list[dict[str, Any]]:
    """Every rule of every rule file."""
    return [
        rule
        for name, text in rules.files(facts or Facts()).items()
        if "/rules/" in name
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    ]


def alerts(facts: Facts | None = None) -> list[dict[str, Any]]:
    """Every alerting rule."""
    return [rule for rule in all_rules(facts) if "alert" in rule]
