"""`python -m tests.truth`: writes `docs/truth.md`, from a replay of the carried history (some seconds)."""

from __future__ import annotations

from pathlib import Path

from tests.truth.page import truth_page

PAGE = Path(__file__).parents[2] / "docs" / "truth.md"

if __name__ == "__main__":
    PAGE.write_bytes(truth_page().encode())
