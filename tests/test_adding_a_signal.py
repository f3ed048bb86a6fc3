"""docs/adding-a-signal.md is true: what it says is done, in a copy of the package and of the tests."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
NO_SHRINKING: Final = """
from hypothesis import Phase, settings

settings.register_profile("as it is", phases=[Phase.explicit, Phase.generate])
settings.load_profile("as it is")
"""
"""A page that is not true any more is known by one example, however large."""
PAGE: Final = ROOT / "docs" / "adding-a-signal.md"
CONTRACT: Final = Path("tests/signals/test_contract.py")
FILE: Final = re.compile(r"^`(\S+\.py)`[^\n]*(?:\n(?!`|#)[^\n]*)*?\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A path at the begin of a line, what is said of it, and its text."""


def files() -> dict[str, str]:
    """Path to text of the files that the page tells to write."""
    return dict(FILE.findall(PAGE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Copy:
    """The project in a folder of its own."""

    root: Path

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.root, capture_output=True, text=True, timeout=250, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def test(self, *arguments: str) -> str:
        return self.run("pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=1", *arguments)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which the page was followed."""
    root = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("monitor", "tests", "docs"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", root)
    # The suite itself looks at many more examples of every signal.
    contract = root / CONTRACT
    contract.write_text(contract.read_text(encoding="utf-8").replace("max_examples=10", "max_examples=4"), "utf-8")
    (root / "conftest.py").write_text(NO_SHRINKING, "utf-8")
    for path, text in files().items():
        assert not (root / path).exists(), f"{path} is there: the page wants another example"
        (root / path).write_text(text, "utf-8")
    return Copy(root)


def name() -> str:
    [found] = re.findall(r'^            name="(\w+)",$', PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


def test_the_page_writes_one_file_and_its_test() -> None:
    of_signal, of_test = files()
    assert re.fullmatch(r"monitor/signals/treasury/\w+\.py", of_signal)
    assert re.fullmatch(r"tests/signals/test_\w+\.py", of_test)
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```python") == len(files())
    words = name().split("_")
    for said in (f"`{name()}`", f"`market_{name()}`", f"`{''.join(word.capitalize() for word in words)}`"):
        assert said in text


def test_what_the_page_refers_to_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:monitor|tests|docs)/[\w/.-]+)`", text):
        assert path in files() or (ROOT / path).exists(), path
    for module in re.findall(r"`(\w+\.py)`", text):
        assert list((ROOT / "monitor" / "signals").rglob(module)), module


def test_the_catalogue_finds_it(followed: Copy) -> None:
    told = followed.run("monitor", "signals", "--json")
    assert f'"{name()}"' in told


def test_its_own_test_passes(followed: Copy) -> None:
    [_, own] = files()
    assert " passed" in followed.test(own)


def test_the_contract_suite_accepts_it(followed: Copy) -> None:
    """All that is said of every signal, and of this one."""
    told = followed.test(str(CONTRACT), "-rA")
    assert len(re.findall(rf"^PASSED .*\[{name()}\]$", told, re.MULTILINE)) >= 6
    assert "SKIPPED" not in told


def test_lint_has_nothing_against_it(followed: Copy) -> None:
    followed.run("ruff", "check", "--no-cache", *files())
    followed.run("ruff", "format", "--no-cache", "--check", *files())


def test_the_generated_pages_list_it(followed: Copy) -> None:
    before = (ROOT / "docs" / "signals.md").read_text(encoding="utf-8")
    followed.run("monitor", "generate")
    signals, thresholds = (
        (followed.root / "docs" / page).read_text(encoding="utf-8") for page in ("signals.md", "thresholds.md")
    )
    assert f"## `{name()}`" not in before
    assert f"## `{name()}`" in signals
    assert f"| `{name()}` | `all` |" in thresholds
