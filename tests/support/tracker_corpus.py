"""Records as trackers write them, in tests/data/tracker_clicks: how each file is read, and what comes out."""

import base64
import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import yaml

from clickscore.config.click import Click
from clickscore.config.value import Value
from clickscore.scoring.contract import contract_of
from clickscore.scoring.parsing import Parsed

CORPUS = Path("tests/data/tracker_clicks")
ROLES = {"schema": "tests/data/click.ddl", "id": "id", "time": "at", "visitor": "visitor"}


class Outcome(NamedTuple):
    """What becomes of a record: ``scored`` and the click as JSON, or the reason and the detail of its rejection."""

    outcome: str
    found: str


def kinds() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((CORPUS / "kinds.yaml").read_text())
    return found


def file_of(kind: str) -> Path:
    return CORPUS / f"{kind}.{'base64' if 'value' in kinds()[kind] else 'jsonl'}"


def records(kind: str) -> list[bytes]:
    file = file_of(kind)
    lines = file.read_bytes().removesuffix(b"\n").split(b"\n")
    return [base64.b64decode(line) for line in lines] if file.suffix == ".base64" else lines


def expected(kind: str) -> list[Outcome]:
    with (CORPUS / "outcomes.csv").open(newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["file"] == file_of(kind).name]
    assert [int(row["line"]) for row in rows] == list(range(1, len(rows) + 1))
    return [Outcome(row["outcome"], row["found"]) for row in rows]


def fields(kind: str) -> pa.Schema:
    section = kinds()[kind]
    value = Value.model_validate(section.pop("value")) if "value" in section else None
    return contract_of(Click.model_validate(ROLES | section), value=value).click


def outcomes(parsed: Parsed) -> list[Outcome]:
    return [
        Outcome(*parsed.rejections[row]) if row in parsed.rejections else Outcome("scored", _as_json(click))
        for row, click in enumerate(parsed.clicks.to_pylist())
    ]


def _as_json(click: dict[str, Any]) -> str:
    return json.dumps(click, default=lambda time: time.isoformat(), ensure_ascii=False)
