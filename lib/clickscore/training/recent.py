"""Scored clicks become examples: their features by the features file, and what became of them as the label."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.window import Window

from clickscore.config.run import Config
from clickscore.errors import ConfigError, TableError
from clickscore.outcomes.joined import SCORED_AT, definition
from clickscore.outcomes.judged import MOST_CLICKS, of_some_units
from clickscore.outcomes.labels import with_outcome
from clickscore.outcomes.units import newest
from clickscore.scoring.features import Features
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.schemas import quoted
from clickscore.storage.table import Table
from clickscore.training.trainable import LABEL, SCORE, VERSION, VISIT_START, VISITOR
from clickscore.training.training import FEATURES

WEEK_US = 7 * 24 * 3600 * 1_000_000


def check_kept(config: Config, features: Features) -> None:
    """Make sure that the rows of ``scored_clicks`` still have what the features are computed from.

    Raises:
        ConfigError: if rules of privacy protect a field that a feature reads.
    """
    hidden = [name for name in features.reads if config.privacy and name in config.privacy.fields]
    if hidden:
        found = (
            f"expected no rule for a field that a feature reads, found some for {', '.join(hidden)}: scored_clicks "
            f"does not have what the features were computed from. Train on past records: jobs/train_model.py"
        )
        raise ConfigError("privacy.fields", [found])


def recent_examples(
    spark: SparkSession, config: Config, features: Features, weeks: float, most: int = MOST_CLICKS
) -> DataFrame:
    """Return the scored clicks of the last weeks whose outcome is known, with their features.

    Clicks whose features fail are left out. The weeks end with the newest click, not today. Of too many clicks, those
    of some units are returned, the same ones each time.

    Args:
        spark: the session.
        config: the run; needs ``outcome``.
        features: what is computed from a click.
        weeks: how many.
        most: how many clicks are returned, about.

    Returns:
        One column per feature; ``_label DOUBLE``, 1 for a click of a unit that has succeeded, else 0; ``_visit_start
        TIMESTAMP``, of the first of these clicks of the unit; ``_score DOUBLE``, ``_version STRING`` and ``_visitor
        BIGINT``, the score that it got, by which version, and a hash of whose it is.

    Raises:
        WiringError: if ``scored_clicks`` does not have what the features read, or what ``outcome`` names.
    """
    outcome, click, scored = definition(config), config.click, Table(config.output.scored)
    reads = list(dict.fromkeys((click.id, *features.reads)))
    columns = scored.columns(spark)
    if missing := [name for name in reads if name not in columns]:
        found = f"no column {', '.join(missing)}" if columns else "no such table"
        raise TableError(f"output.scored: {scored.name}: expected the fields that features read, found {found}. Run "
                         f"jobs/score_stream.py with this configuration first.")  # fmt: skip
    check_kept(config, features)
    time = F.col(quoted(click.time))
    [[newest_us]] = scored.read(spark).agg(newest(click.time, SCORED_AT)).collect()
    since = F.timestamp_micros(F.lit(int((newest_us or 0) - weeks * WEEK_US)))
    known = with_outcome(spark, config, LABEL).where((time >= since) & F.col(LABEL).isNotNull())
    unit = F.col(quoted(outcome.field(click.id, click.visitor)))
    chosen = of_some_units(known, F.xxhash64(unit), known.count(), most)
    rows = chosen.select(
        *map(quoted, reads), LABEL, F.min(time).over(Window.partitionBy(unit)).alias(VISIT_START),
        F.col("score").alias(SCORE), F.col("model_version").alias(VERSION),
        F.xxhash64(quoted(click.visitor)).alias(VISITOR),
    )  # fmt: skip
    return with_features(rows, features).select(f"{FEATURES}.*", LABEL, VISIT_START, SCORE, VERSION, VISITOR)


def with_features(clicks: DataFrame, features: Features) -> DataFrame:
    """Add ``_features STRUCT``, the features of each click; clicks whose features fail are left out.

    Args:
        clicks: with the fields that features read, and any other columns.
        features: what is computed.
    """
    added = as_spark(pa.schema([pa.field(FEATURES, pa.struct(list(features.schema)))]), has_comments=False)
    fields = [T.StructField(field.name, field.dataType) for field in clicks.schema]

    def featured(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            computed = features.compute(pa.StructArray.from_arrays(batch.columns, names=batch.schema.names))
            is_good = np.ones(len(batch), bool)
            is_good[[*computed.failures]] = False
            names = [*batch.schema.names, FEATURES]
            rows = pa.RecordBatch.from_arrays([*batch.columns, *computed.values], names=names)
            yield rows.filter(pa.array(is_good))

    return clicks.mapInArrow(featured, T.StructType([*fields, *added.fields]))
