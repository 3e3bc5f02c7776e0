from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.watch.followed import Followed


def test_rows_that_a_deletion_vector_hides_are_not_counted(spark: SparkSession, tmp_path: Path) -> None:
    table = str(tmp_path / "scored_clicks")
    followed = Followed(table, {})
    spark.range(100).coalesce(1).write.format("delta").save(table)
    assert (followed.look(), followed.rows) == (True, 100)
    spark.sql(f"ALTER TABLE delta.`{table}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    persistent = "spark.databricks.delta.delete.deletionVectors.persistent"
    before = spark.conf.get(persistent, None)
    spark.conf.set(persistent, "true")
    try:
        spark.sql(f"DELETE FROM delta.`{table}` WHERE id < 30 AND id % 3 = 0")
    finally:
        spark.conf.unset(persistent) if before is None else spark.conf.set(persistent, before)
    assert list(tmp_path.glob("scored_clicks/deletion_vector*.bin"))
    assert (followed.look(), followed.rows) == (True, 90)
