import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from clickscore.errors import TableError
from clickscore.storage.protocol import check_changeable, check_readable, check_writable
from clickscore.storage.table import Table

SCHEMA = T.StructType([T.StructField("id", T.StringType())])


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    table = Table(str(tmp_path / "clicks"))
    table.create(spark, SCHEMA, [], {})
    return table


def ask_for(table: Table, **protocol: object) -> Table:
    """Let another writer, of a newer Delta, raise what the table asks for."""
    copy = Table(f"{table.name}-new")
    log = Path(copy.name, "_delta_log")
    log.mkdir(parents=True)
    lines = [json.loads(line) for line in Path(table.name, "_delta_log", f"{0:020}.json").read_text().splitlines()]
    changed = [{"protocol": protocol} if "protocol" in line else line for line in lines]
    (log / f"{0:020}.json").write_text("\n".join(map(json.dumps, changed)))
    return copy


def test_table_of_today_and_one_that_is_not_there_can_be_read_and_written(spark: SparkSession, table: Table) -> None:
    spark.sql(f"ALTER TABLE {table.sql_name} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true', "
              f"'delta.columnMapping.mode' = 'name', 'delta.enableChangeDataFeed' = 'true')")  # fmt: skip
    for one in (table, Table(f"{table.name}-nowhere")):
        check_readable(spark, one)
        check_writable(spark, one, one.found_properties(spark))


@pytest.mark.parametrize(
    "protocol",
    [
        {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["mindReading"],
         "writerFeatures": ["mindReading"]},
        {"minReaderVersion": 1, "minWriterVersion": 8},
        {"minReaderVersion": 4, "minWriterVersion": 8},
        {"minReaderVersion": 3, "minWriterVersion": 7},
        {"minReaderVersion": 3, "minWriterVersion": 5, "readerFeatures": ["columnMapping"]},
        {"minReaderVersion": 0, "minWriterVersion": 0},
    ],
)  # fmt: skip
def test_table_that_this_delta_cannot_read_is_refused(
    spark: SparkSession, table: Table, protocol: dict[str, object]
) -> None:
    with pytest.raises(TableError, match=r"cannot be used with this version of Delta: .*DROP FEATURE"):
        check_readable(spark, ask_for(table, **protocol))


def test_table_with_a_feature_that_this_delta_cannot_write_can_be_read(spark: SparkSession, table: Table) -> None:
    newer = ask_for(table, minReaderVersion=1, minWriterVersion=7, writerFeatures=["appendOnly", "mindReading"])
    check_readable(spark, newer)
    with pytest.raises(TableError, match="it has the table features mindReading"):
        check_writable(spark, newer, newer.properties(spark))


def test_table_of_a_later_version_with_features_that_this_delta_knows_can_be_read(
    spark: SparkSession, table: Table
) -> None:
    newer = ask_for(table, minReaderVersion=3, minWriterVersion=8, readerFeatures=[], writerFeatures=["appendOnly"])
    check_readable(spark, newer)
    with pytest.raises(TableError, match="it asks for version 8 of the writers' protocol"):
        check_writable(spark, newer, newer.properties(spark))


def test_table_that_takes_appends_alone_cannot_be_changed(spark: SparkSession, table: Table) -> None:
    check_changeable(spark, table, "a replay marks its rows", "replay")
    table.set_properties(spark, {"delta.appendOnly": "true"})
    with pytest.raises(TableError, match=r"has the property delta\.appendOnly.*\n.*'delta.appendOnly' = 'false'"):
        check_changeable(spark, table, "a replay marks its rows", "replay")
