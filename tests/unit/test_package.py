"""What `make package` builds depends on the sources and on Python, not on when and where."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def built(home: Path, time: float) -> dict[str, str]:
    """Build both packages from a checkout of some time; return their hashes."""
    home.mkdir()
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
        shutil.copy(name, home / name)
    for name in ("lib", "jobs", "conf/trackers"):
        shutil.copytree(name, home / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for file in home.rglob("*"):
        os.utime(file, (time, time))
    venv = Path(sys.executable).parents[1]
    made = [f"--old-file={venv}/{stamp}" for stamp in (".ready", ".package-ready")]  # never sets it up for this copy
    command = ["make", *made, "package", f"VENV={venv}"]
    subprocess.run(command, cwd=home, check=True, capture_output=True)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (home / "dist").iterdir()}


def test_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    now, once = built(tmp_path / "now", 1.79e9), built(tmp_path / "once", 1.6e9)
    assert len(now) == 2
    assert now == once
