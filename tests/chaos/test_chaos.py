"""A short part of the fault suite; ``make chaos`` is the whole of it."""

import subprocess
import sys
from pathlib import Path

PATIENCE_S = 900


def test_nothing_is_lost_or_doubled_wherever_the_driver_is_killed(tmp_path: Path) -> None:
    suite = [sys.executable, "-m", "tests.chaos", "--quick", "--seed", "1", "--home", str(tmp_path / "chaos")]
    done = subprocess.run(suite, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 faults survived, 0 records lost, 0 rows too many" in done.stdout
