"""How long does the report take over a large table, and how much memory? Generates the tables with delta-rs, no Spark.

Each report is a process of its own. Run it with `make bench-report`; the tables stay in build/bench/report.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import duckdb
from deltalake import CommitProperties, write_deltalake
from rich.console import Console
from rich.table import Table

HOME = Path("build/bench/report")
CLICKS_PER_BATCH = 50_000
REJECTED_PER_BATCH = 100
BATCH_S = 3_600
"""Seconds between two micro-batches: ten million clicks are eight days."""
START = datetime(2026, 3, 1, tzinfo=timezone.utc).timestamp()
RUNS = 3
PROGRAM = """
import sys, time
began = time.perf_counter(), time.process_time()
from jobs import report
assert report.main(sys.argv[1:]) == 0
took = time.perf_counter() - began[0], time.process_time() - began[1]
[line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
import json
print(json.dumps({"s": took[0], "cpu_s": took[1], "memory_mb": int(line.split()[1]) / 1024}))
"""
# Every value is a function of the click's number, so that the same table comes out each time.
SCORED = """
SELECT
  format('{:024x}', n) AS event_id,
  make_timestamptz(((began_s - h % 600) * 1e6)::BIGINT) AS event_time,
  ['view_product', 'view_category', 'search', 'add_to_cart', 'view_cart', 'checkout', 'purchase'][1 + h % 7]
    AS event_type,
  'v' || h % 2000000 AS visitor_id, 's' || n // 6 AS session_id,
  'https://shop.example.com/p/' || h % 5000 AS page_url,
  CASE WHEN h % 3 = 0 THEN 'https://www.google.com/' END AS referrer,
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/148.0.0.' || h % 40 AS user_agent,
  ['mobile', 'desktop', 'tablet'][1 + h % 3] AS device,
  ['direct', 'organic', 'paid_search', 'social', 'email', 'affiliate'][1 + h % 6] AS channel,
  ['DE', 'AT', 'CH', 'PL', 'NL', 'FR'][1 + h % 6] AS country, h % 5 = 0 AS "returning",
  (360 + h % 1600)::INTEGER AS viewport_width, (640 + h % 900)::INTEGER AS viewport_height,
  'P' || h % 5000 AS product_id, 'toys' AS category, (h % 20000) / 100 AS price, (1 + h % 4)::INTEGER AS quantity,
  CASE WHEN h % 7 = 2 THEN 'sale' END AS search_query, (h % 60000)::BIGINT AS dwell_ms,
  (h % 100) / 100 AS scroll_depth,
  pow((h % 10007) / 10007, 3) AS score, 'click_propensity' AS model_name,
  CASE WHEN batch_id < batches // 2 THEN '1' ELSE '2' END AS model_version,
  make_timestamptz((began_s * 1e6)::BIGINT) AS scored_at,
  'clicks-' || n % 4 AS source, (n // 4)::BIGINT AS source_offset, batch_id::BIGINT AS batch_id
FROM (SELECT *, (hash(n) % 1000000007)::BIGINT AS h FROM (
  SELECT range AS n, $1::BIGINT AS batch_id, $2::DOUBLE AS began_s, $3::BIGINT AS batches FROM range($4, $5)
))
"""
REJECTED = """
SELECT '{"event_id":"' || n || '"}' AS raw,
  ['missing_field', 'malformed_json', 'wrong_type'][1 + n % 3] AS reason, 'event_time is missing' AS detail,
  'landing/clicks.jsonl' AS source, NULL::BIGINT AS source_offset,
  make_timestamptz(($2::DOUBLE * 1e6)::BIGINT) AS received_at, $1::BIGINT AS batch_id
FROM (SELECT range AS n FROM range($3, $4))
"""

OUTCOMES = """
SELECT 's' || range AS unit_id, 'closed' AS state, hash(range) % 8 = 0 AS success, 6::BIGINT AS clicks,
  TIMESTAMPTZ '2027-01-01 00:00:00+00' AS until
FROM range($1)
"""


def main(argv: list[str] | None = None) -> None:
    """Generate the tables unless they are there, report on them, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=10_000_000)
    clicks = parser.parse_args(argv).clicks
    tables = HOME / str(clicks)
    if not (tables / "done").exists():
        shutil.rmtree(tables, ignore_errors=True)
        generate(tables, clicks)
    page = HOME / "report.html"
    job = ["--config", "conf/local.yaml", "--out", str(page)]
    for name in ("scored", "rejected"):
        job += ["--set", f"output.{name}={tables}/{name}_clicks"]
    runs = []
    for _ in range(RUNS):
        done = subprocess.run([sys.executable, "-c", PROGRAM, *job], check=True, capture_output=True, text=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    grid = Table("of a report over", "median", "greatest", title=f"{clicks:,} scored clicks, {RUNS} reports")
    for name, unit in (("s", "elapsed s"), ("cpu_s", "CPU s"), ("memory_mb", "peak memory MB")):
        values = [run[name] for run in runs]
        grid.add_row(unit, f"{statistics.median(values):,.1f}", f"{max(values):,.1f}")
    size = f"{page.stat().st_size / 1e6:.2f}"
    grid.add_row("page MB", size, size)
    Console().print(grid)


def generate(tables: Path, clicks: int) -> None:
    """Write the two main tables as a stream would, a commit per micro-batch in each, and their ``outcomes``."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    batches = clicks // CLICKS_PER_BATCH
    for batch in range(batches):
        began_s = START + batch * BATCH_S
        places = (batch * CLICKS_PER_BATCH, (batch + 1) * CLICKS_PER_BATCH)
        scored = database.sql(SCORED, params=[batch, began_s, batches, *places])
        _append(tables / "scored_clicks", scored, batch)
        rejected = (batch * REJECTED_PER_BATCH, (batch + 1) * REJECTED_PER_BATCH)
        _append(tables / "rejected_clicks", database.sql(REJECTED, params=[batch, began_s, *rejected]), batch)
    _append(tables / "outcomes", database.sql(OUTCOMES, params=[clicks // 6 + 1]), 0)
    (tables / "done").touch()


def _append(table: Path, rows: duckdb.DuckDBPyRelation, batch: int) -> None:
    about = CommitProperties(custom_metadata={"userMetadata": json.dumps({"stream": "benchmark", "batch": batch})})
    write_deltalake(str(table), rows.to_arrow_table(), mode="append", commit_properties=about)


if __name__ == "__main__":
    main()
