"""Which way to parse clicks costs less: `from_json` in the JVM, or the typed decoder in the Python workers?

Both arms read the same files and end in a sink that writes nothing; they take turns, so that a noisy machine is noisy
to both. CPU time is that of the whole process tree. Run it with `make bench-parse`.
"""

import tempfile
from pathlib import Path

from benchmarks.common.clicks import land
from benchmarks.common.partial_scorer import without_model
from benchmarks.common.turns import arguments, as_table, costs
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from rich.console import Console

from clickscore.config.run import load
from clickscore.session import build_session
from clickscore.sources.folder import read_batch
from clickscore.stream import pipeline
from clickscore.stream.definition import read_definition
from clickscore.stream.pipeline import Score
from shopsim.records import Faults

CLICKS = 500_000
FAULTS = Faults(malformed=0.005)
PER_FILE = 20_000
SEED = 7
ROUNDS = 7


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


def with_decoder(raw: DataFrame, click: T.StructType, decode: Score) -> DataFrame:
    """Parse in the Python workers, into the same columns."""
    outcomes = pipeline.with_outcomes(raw, decode)
    fields = [F.col(f"{pipeline.OUTCOME}.{name}") for name in click.names]
    reason = F.col(pipeline.REASON)
    kept = F.when(reason.isNotNull(), F.col("value").cast("string")).alias("_raw")
    return outcomes.select(*fields, "source", "source_offset", reason, kept)


def main() -> None:
    """Print the table."""
    a = arguments(__doc__, CLICKS, ROUNDS)
    spark = build_session("benchmark-parse")
    definition = read_definition(load(Path("conf/local.yaml")))
    click, decode = definition.layout.click, without_model(definition.contract)
    with tempfile.TemporaryDirectory() as folder:
        records = land(Path(folder), a.clicks, SEED, FAULTS, PER_FILE)

        def raw() -> DataFrame:
            return read_batch(spark, folder)

        def to_nowhere(rows: DataFrame) -> None:
            rows.write.format("noop").mode("append").save()

        arms = {
            "from_json in the JVM": lambda: to_nowhere(with_from_json(raw(), click)),
            "typed decoder in the workers": lambda: to_nowhere(with_decoder(raw(), click, decode)),
        }
        Console().print(as_table(costs(arms, records, a.rounds)))


if __name__ == "__main__":
    main()
