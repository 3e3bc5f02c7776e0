"""An independent witness of an erasure: ``python -m shopsim.forget STEP --config FILE --ids FILE``.

``choose`` waits for scored clicks and writes the ids of three visitors into the file, one of whom has a rejected record
as well. ``expire`` ends the retention of old files. ``prove`` reads every live file, and every other data file that is
still there, and exits with 1 if one has an id in any value, statistic or byte. ``lose`` deletes a click of somebody
else. It reads and writes the tables with delta-rs and pyarrow, which share no code with Spark.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from deltalake import DeltaTable

PATIENCE_S = 120
POLL_S = 2.0
LEAST_CLICKS = 10_000
CHOSEN = 3
NO_RETENTION = {"delta.deletedFileRetentionDuration": "interval 0 seconds"}


def choose(tables: dict[str, str], visitor: str, time_of: str, ids: Path) -> int:
    """Write the ids of three visitors, as soon as there are clicks; one has a rejected record, if anybody has."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        if all(DeltaTable.is_deltatable(table) for table in tables.values()):
            clicks = DeltaTable(tables["scored"]).to_pyarrow_table(columns=[visitor, time_of])
            if len(clicks) >= LEAST_CLICKS:
                # The newest visitors of past days: the clicks that arrive meanwhile are hardly ever theirs.
                last = clicks.group_by(visitor).aggregate([(time_of, "max")])
                gone = last.filter(pc.less(last[f"{time_of}_max"], datetime.now(timezone.utc) - timedelta(days=1)))
                known = sorted(gone[visitor].to_pylist(), key=lambda each: (len(each), each), reverse=True)
                raws = column(tables["rejected"], "raw")
                in_raw = [each for each in known if any(f'"{each}"' in (raw or "") for raw in raws)]
                chosen = dict.fromkeys([*in_raw[:1], *known])
                ids.write_text("".join(f"{each}\n" for each in list(chosen)[:CHOSEN]))
                print(f"three of {len(known):,} visitors with {len(clicks):,} clicks are in {ids}")
                return 0
        time.sleep(POLL_S)
    print(f"fewer than {LEAST_CLICKS:,} clicks are scored after {PATIENCE_S} s", file=sys.stderr)
    return 1


def column(table: str, name: str) -> list[str]:
    """Return the values of a column as they are now."""
    values: list[str] = DeltaTable(table).to_pyarrow_table(columns=[name])[name].to_pylist()
    return values


def expire(tables: dict[str, str]) -> int:
    """Let the tables keep old files for no time; a real table keeps them for a week, or as long as you say."""
    for table in tables.values():
        DeltaTable(table).alter.set_table_properties(NO_RETENTION)
    return 0


def prove(tables: dict[str, str], visitors: list[str]) -> int:
    """Look for the ids in every data file; 0 where there is none in any."""
    for name, table in tables.items():
        live = {Path(unquote(urlsplit(uri).path)).resolve() for uri in DeltaTable(table).file_uris()}
        there = {file.resolve() for file in Path(table).rglob("*.parquet") if "_delta_log" not in file.parts}
        found = [
            file
            for file in sorted(live | there)
            if any(visitor in text for text in texts(file) for visitor in visitors)
        ]
        print(f"{name}: {len(live):,} live files, {len(there - live):,} others, {len(found):,} with an id")
        if found:
            return 1
    return 0


def texts(file: Path) -> Iterator[str]:
    """Yield what a Parquet file says: its values, its statistics, and its bytes as they are."""
    yield str(pq.read_table(file).to_pylist())
    yield str(pq.read_metadata(file).to_dict())
    yield file.read_bytes().decode("latin-1")


def lose(tables: dict[str, str], click: str) -> int:
    """Delete one click that nobody has asked to erase."""
    lost = min(column(tables["scored"], click))
    DeltaTable(tables["scored"]).delete(f"{click} = '{lost}'")
    print(f"click {lost} is deleted; the audit has to find that")
    return 0


def main() -> int:
    """Do one step of the demo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("choose", "expire", "prove", "lose"))
    parser.add_argument("--config", type=Path, required=True, help="the run, such as conf/forget.yaml")
    parser.add_argument("--ids", type=Path, required=True, help="the ids of the visitors")
    a = parser.parse_args()
    run: dict[str, Any] = yaml.safe_load(a.config.read_text(encoding="utf-8"))
    tables, click = run["output"], run["click"]
    if a.step == "choose":
        return choose(tables, click["visitor"], click["time"], a.ids)
    if a.step == "expire":
        return expire(tables)
    return prove(tables, a.ids.read_text().split()) if a.step == "prove" else lose(tables, click["id"])


if __name__ == "__main__":
    sys.exit(main())
