"""Every task is a new process: what a minute's work imports on the way, every minute pays for."""

from __future__ import annotations

import subprocess
import sys

PACKS_ROWS = """
import sys
import numpy as np
from sos_ops.store import scores, scoring_inputs
from sos_ops.store.binary_copy import FLOAT8, INT4, Column, _blocks
before = set(sys.modules)
ids, values = np.arange(3), np.array([0.5, 0.0, 1.0])
blocks = list(_blocks([Column("id", INT4, ids), Column("value", FLOAT8, values, ids == 1)], 3))
assert len(blocks) == 2
print(*sorted(set(sys.modules) - before))
"""


def test_packing_rows_imports_nothing_that_was_not_loaded_with_the_modules() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PACKS_ROWS], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == []
