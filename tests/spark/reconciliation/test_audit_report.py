from io import StringIO

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.reconciliation import audit_report, discrepancies
from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.discrepancies import Holdings
from clickscore.reconciliation.expectations import Evidence
from clickscore.reconciliation.landed_files import Strays
from clickscore.storage.checkpoint import Checkpoint


def test_many_micro_batches_are_cut_to_the_newest_and_those_with_findings(spark: SparkSession) -> None:
    """1,000 micro-batches of one file with 10 records each; number 7 lacks a row, and number 8 has one too many."""
    batch = F.col("id").alias("batch_id")
    source = F.concat(F.lit("/f"), F.col("id")).alias("source")
    held = spark.range(1_000).select(
        source, batch, F.lit(10).alias("records"), F.lit(None).cast("bigint").alias("held_sum"),
        F.lit(False).alias("is_gone"), F.lit(False).alias("is_rewritten"),
    )  # fmt: skip
    scored = F.expr("CASE id WHEN 7 THEN 9 WHEN 8 THEN 11 ELSE 10 END").cast("bigint").alias("scored")
    rows = spark.range(1_000).select(source, batch, scored, F.lit(0).alias("rejected"), F.lit(0).alias("row_sum"))
    parts = discrepancies.compare(held, rows).persist()
    sums = discrepancies.sum_up(discrepancies.count_differences(parts.where("differs")))
    seen = StringIO()
    strays = Strays(3, 2, ["/x"], ["_y"], [".z"])
    evidence = Evidence(Range(0, 999, {}), 0, Holdings(held), rows, rows, lambda found: found, strays)
    is_whole = audit_report.show(
        Console(file=seen, width=160), discrepancies.with_differences(parts, sums),
        Checkpoint("checkpoint", "stream", 1_000, 999), evidence, None, [],
    )  # fmt: skip
    said = seen.getvalue()
    parts.unpersist()
    assert not is_whole
    shown = [line.split("│")[1].strip() for line in said.splitlines() if line.startswith("│")]
    assert shown == ["7", "8", *map(str, range(980, 1_000)), "all"]
    assert "10,000" in said
    assert "micro-batch 7, /f7\n  1 missing: the source has them, the tables do not\n" in said
    assert "micro-batch 8, /f8\n  1 row too many: this record is there more than once\n" in said
    assert "3 files wait to be read." in said
    assert "5 findings." in said
