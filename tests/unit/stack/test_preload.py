from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys, threading
from sos_ops.stack.preload import preload
early = "pandas" in sys.modules
print(preload(), early, "pandas" in sys.modules, threading.active_count(),
      [name for name in sys.modules if name.endswith("__main__")])
"""


def test_everything_a_task_imports_is_loaded_once_and_nothing_is_run() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[] False True 1 ['__main__']"
