"""The expressions of a features file, for queries that a benchmark builds around them."""

from pathlib import Path


def select_list(file: Path) -> str:
    """Return what stands between the first SELECT of a features file and its FROM click."""
    _, _, rest = file.read_text(encoding="utf-8").partition("SELECT")
    expressions, _, _ = rest.rpartition("FROM click")
    return expressions
