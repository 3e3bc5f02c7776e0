"""An independent witness of live models: ``python -m shopsim.model_witness``.

It waits until every line of the landing folder is in exactly one row, then shows which model version scored which
micro-batches, by the timeline and by the rows, and what was rejected. It reads the tables with delta-rs, which shares
no code with Spark, and exits with 1 if a line is missing or twice, or a micro-batch has two versions.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import yaml
from deltalake import DeltaTable, QueryBuilder
from rich.console import Console
from rich.table import Table

PATIENCE_S = 120
"""How long nothing may happen before the witness gives up."""
POLL_S = 2.0

FILES = """
SELECT source, COUNT(*) AS records
FROM (SELECT source FROM scored UNION ALL SELECT source FROM rejected) GROUP BY source
"""
BATCHES = """
SELECT model_version, MIN(batch_id) AS first, MAX(batch_id) AS last, COUNT(DISTINCT batch_id) AS batches,
       COUNT(*) AS clicks, COUNT(challenger_score) AS challenged, MAX(challenger_version) AS challenger
FROM scored GROUP BY model_version ORDER BY first
"""
TWICE = "SELECT event_id FROM scored GROUP BY event_id HAVING COUNT(*) > 1 LIMIT 3"
MIXED = "SELECT batch_id FROM scored GROUP BY batch_id HAVING COUNT(DISTINCT model_version) > 1"
REJECTED = """
SELECT reason, COUNT(*) AS records, MIN(detail) AS detail FROM rejected GROUP BY reason ORDER BY records DESC
"""
TIMELINE = """
SELECT from_batch, role, event, model_version, CAST(date_trunc('second', pinned_at) AS VARCHAR) AS at, reason
FROM timeline ORDER BY pinned_at
"""
DETAIL_WIDTH = 60
WIDTH = 140


def query(output: dict[str, str], sql: str) -> list[dict[str, Any]]:
    """Ask the tables of a run as they are now; nothing, as long as there are none."""
    places = {**output, "timeline": str(Path(output["scored"]).with_name("model_timeline"))}
    if not all(DeltaTable.is_deltatable(place) for place in places.values()):
        return []
    builder = QueryBuilder()
    for name, place in places.items():
        builder = builder.register(name, DeltaTable(place))
    rows: list[dict[str, Any]] = pa.table(builder.execute(sql)).to_pylist()
    return rows


def lines_in_folder(folder: Path) -> dict[str, int]:
    """Count the lines of every file that has landed."""
    return {f"file:{path.resolve()}": path.read_bytes().count(b"\n") for path in folder.glob("*.jsonl")}


def grid(title: str, rows: list[dict[str, Any]]) -> Table:
    """Return rows as a table for a person."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*["" if value is None else str(value).split("\n")[0][:DETAIL_WIDTH] for value in row.values()])
    return table


def wait(output: dict[str, str], folder: Path, job: int | None) -> str | None:
    """Wait until every line is in one row; return what is wrong if that does not come."""
    rows: dict[str, int] = {}
    last_change = time.monotonic()
    while time.monotonic() - last_change < PATIENCE_S:
        wanted = lines_in_folder(folder)
        found = {row["source"]: row["records"] for row in query(output, FILES)}
        if twice := [name for name, count in found.items() if count > wanted.get(name, 0)]:
            return f"lines are there twice: {', '.join(twice)}"
        if found == {name: count for name, count in wanted.items() if count}:
            return None
        if found != rows:
            rows, last_change = found, time.monotonic()
        if job is None or not psutil.pid_exists(job):
            break
        time.sleep(POLL_S)
    return f"{sum(lines_in_folder(folder).values()) - sum(rows.values()):,} lines are in no table"


def main() -> int:
    """Wait for the stream, and show what it did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="the run, such as conf/models.yaml")
    parser.add_argument("--job", type=int, help="process that writes the tables, as long as it lives")
    arguments = parser.parse_args()
    run = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
    output, folder = run["output"], Path(run["source"]["path"])
    wrong = wait(output, folder, arguments.job)
    console = Console(width=WIDTH)
    console.print()
    for title, sql in (
        ("versions by micro-batch, from the scored rows", BATCHES),
        ("what model_timeline says", TIMELINE),
        ("rejected", REJECTED),
    ):
        console.print(grid(title, query(output, sql)))
    if again := query(output, TWICE):
        wrong = f"clicks that were scored twice: {again}"
    if mixed := query(output, MIXED):
        wrong = f"micro-batches with more than one version: {mixed}"
    if wrong:
        print(wrong, file=sys.stderr)
        return 1
    lines = sum(lines_in_folder(folder).values())
    console.print(f"\nevery one of {lines:,} lines is in exactly one row, and every micro-batch has one version")
    return 0


if __name__ == "__main__":
    sys.exit(main())
