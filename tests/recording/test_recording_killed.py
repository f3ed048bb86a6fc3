"""A recorder that is killed at any moment loses nothing that it had synced, and never leaves a wrong payload."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random

from tests.recording.reading import batch, files, read, rows_of

ROUNDS = 8


def test_killed_at_any_moment_it_has_all_that_was_synced(tmp_path: Path) -> None:
    random, before = Random(7), 0
    for _ in range(ROUNDS):
        child = subprocess.Popen([sys.executable, "-m", "tests.recording.child", str(tmp_path)], stdout=subprocess.PIPE)
        with child:
            assert child.stdout is not None
            told = [int(child.stdout.readline()) for _ in range(1 + random.randrange(30))]
            time.sleep(random.random() / 50)  # anywhere between two syncs, or within one
            child.kill()
            told += [int(line) for line in child.stdout.read().split(b"\n")[:-1]]
        assert told[0] > before, "it did not go on behind what was there"
        rows = read(tmp_path)
        assert len(rows) >= told[-1], "something that was synced is lost"
        assert rows == rows_of(batch(0, len(rows)))
        before = told[-1]
    assert len(files(tmp_path)) >= ROUNDS
