"""Random examples that are the same in every run, so that a tree that passed passes; others are for `make explore`.

And a log that no test leaves to the next: a command sets it up for its own standard error, which may be closed by then.
"""

from __future__ import annotations

import pytest
import structlog
from hypothesis import settings

settings.register_profile("steady", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("steady")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    structlog.reset_defaults()
