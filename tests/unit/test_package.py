"""What `make package` builds does not depend on when and where."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("what", ["clickscore.zip", "clickscore-*.whl"])
def test_same_sources_give_the_same_bytes(tmp_path: Path, what: str) -> None:
    for name in ("Makefile", "pyproject.toml", "README.md", "requirements.txt"):
        shutil.copy2(name, tmp_path / name)
    shutil.copytree("lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for file in (tmp_path / "lib").rglob("*.py"):
        file.touch()  # a later checkout
    venv = str(Path(sys.executable).parents[1])
    subprocess.run(["make", "package", f"VENV={venv}"], cwd=tmp_path, check=True, capture_output=True)
    hashes = [
        hashlib.sha256(next(place.glob(what)).read_bytes()).hexdigest() for place in (Path("dist"), tmp_path / "dist")
    ]
    assert hashes[0] == hashes[1]
