"""Random examples that are the same in every run, so that a tree that passed passes; others are for `make explore`."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("steady")
