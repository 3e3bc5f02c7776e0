"""Which way to parse clicks costs less: `from_json` in the JVM, or the typed decoder in the Python workers?

Both arms read the same files and end in a sink that writes nothing; they take turns, so that a noisy machine is noisy
to both. CPU time is that of the whole process tree. Run it with `make bench-parse`.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.common.cpu import cpu_seconds
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from rich.console import Console
from rich.table import Table

from clickscore.scoring.parsing import parse
from clickscore.session import build_session
from clickscore.sources.folder import read_batch
from shopsim.landing import write_history
from shopsim.records import Faults

CLICKS = 500_000
MALFORMED = 0.005
ROUNDS = 7
WARM_UP = 2
"""Rounds that are not counted: the JVM compiles, the workers import."""
MARCH_MS = 1_772_323_200_000


def with_from_json(raw: DataFrame, click: T.StructType) -> DataFrame:
    """Parse in the JVM, and tell only three reasons apart: from_json does not say which field was wrong."""
    corrupt = T.StructField("_corrupt", T.StringType())
    nullable = T.StructType([*(T.StructField(field.name, field.dataType) for field in click), corrupt])
    record = F.col("value").cast("string")
    parsed = raw.select(record.alias("raw"), F.from_json(record, nullable, {"columnNameOfCorruptRecord": "_corrupt"})
                        .alias("click"), "source", "source_offset")  # fmt: skip
    is_malformed = F.col("click").isNull() | F.col("click._corrupt").isNotNull()
    lacks_field = F.lit(False)
    for field in click:
        lacks_field = lacks_field if field.nullable else lacks_field | F.col("click").getField(field.name).isNull()
    reason = F.when(is_malformed, "malformed_json").when(lacks_field, "missing_field")
    fields = [F.col("click").getField(field.name).alias(field.name) for field in click]
    kept = F.when(reason.isNotNull(), F.col("raw"))
    return parsed.select(*fields, "source", "source_offset", reason.alias("reason"), kept.alias("_raw"))


def measure(arm: Callable[[], DataFrame]) -> tuple[float, float]:
    """Run an arm once; return CPU-seconds per million clicks, and clicks per second."""
    cpu, began = cpu_seconds(), time.monotonic()
    arm().write.format("noop").mode("append").save()
    return (cpu_seconds() - cpu) * 1e6 / CLICKS, CLICKS / (time.monotonic() - began)


def main() -> None:
    """Print the table."""
    spark: SparkSession = build_session("benchmark-parse")
    click = T.StructType.fromDDL(Path("conf/click.ddl").read_text(encoding="utf-8"))
    assert isinstance(click, T.StructType)
    with tempfile.TemporaryDirectory() as folder:
        list(write_history(Path(folder), CLICKS, 20_000, MARCH_MS, 14.0, 7, Faults(malformed=MALFORMED)))
        arms: dict[str, Callable[[], DataFrame]] = {
            "from_json in the JVM": lambda: with_from_json(read_batch(spark, folder), click),
            "typed decoder in the workers": lambda: parse(read_batch(spark, folder), click),
        }
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in arms}
        for number in range(ROUNDS + WARM_UP):
            for name, arm in arms.items():
                run = measure(arm)
                if number >= WARM_UP:
                    runs[name].append(run)
    grid = Table("arm", "CPU-s per million", "least - most", "clicks/s")
    for name, found in runs.items():
        cpu = [run[0] for run in found]
        rate = statistics.median(run[1] for run in found)
        grid.add_row(name, f"{statistics.median(cpu):.1f}", f"{min(cpu):.1f} - {max(cpu):.1f}", f"{rate:,.0f}")
    Console().print(grid)


if __name__ == "__main__":
    main()
