"""What every command waits for before it does anything."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("pandas", "pyarrow", "great_expectations", "airflow", "dash")


def test_the_command_line_starts_without_what_only_some_commands_need() -> None:
    code = f"import sys, sos_ops.cli.app; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
