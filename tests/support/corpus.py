"""The corpus of bad input in tests/data/bad_clicks; `outcomes.csv` says what becomes of each line, and why."""

import csv
import gzip
from pathlib import Path
from typing import NamedTuple

from clickscore.reasons import INVALID_ENCODING

CORPUS = Path("tests/data/bad_clicks")


class Line(NamedTuple):
    """A line of a file; the outcome is the reason of its rejection, or ``scored``."""

    file: str
    record: bytes
    outcome: str
    at: str


def lines(file: Path) -> list[bytes]:
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return content.removesuffix(b"\n").split(b"\n") if content else []


def outcomes() -> list[dict[str, str]]:
    with (CORPUS / "outcomes.csv").open(newline="") as table:
        return list(csv.DictReader(table))


def read() -> list[Line]:
    rows = outcomes()
    found = {name: lines(CORPUS / name) for name in {row["file"] for row in rows}}
    return [Line(row["file"], found[row["file"]][int(row["line"]) - 1], row["outcome"], row["at"]) for row in rows]


def encoding(reason: str) -> str:
    """Return the encoding in which `raw` holds a record that was rejected for a reason."""
    return "iso-8859-1" if reason == INVALID_ENCODING else "utf-8"
