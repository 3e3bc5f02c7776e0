"""An environment with some packages of this one, and nothing else."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

SCORER = ("pyarrow", "duckdb", "msgspec", "numpy")
"""What the scorer needs, whatever the model."""
LIGHTGBM = ("lightgbm", "scipy", "narwhals")
"""LightGBM and the packages that it asks for."""
ONNX = ("onnxruntime", "flatbuffers", "packaging", "protobuf")
"""onnxruntime and the packages that it asks for."""
UNWANTED = ("pyspark", "py4j", "mlflow", "pandas")


def make_site(site: Path, *names: str) -> Path:
    """Make a folder of packages: links to those of this environment, to clickscore, and to nothing else."""
    for name in names:
        for file in metadata.files(name) or ():
            top = file.parts[0]
            if top != ".." and not (site / top).exists():
                (site / top).symlink_to(Path(str(metadata.distribution(name).locate_file(top))))
    (site / "clickscore").symlink_to(Path("lib/clickscore").resolve())
    return site


def run_in(site: Path, program: str, *arguments: str) -> str:
    """Run a program of Python with the packages of a site; return what it prints."""
    # -S leaves out the packages of this environment, -I everything that the variables of the shell name.
    begin = f"import sys; sys.path.insert(0, {str(site)!r}); sys.argv[:] = sys.argv[:1] + {list(arguments)!r}\n"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", begin + program], capture_output=True, text=True,
                          check=False, env={"PATH": os.defpath})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
