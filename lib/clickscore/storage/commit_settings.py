"""What a statement has no options for: settings of the session that hold for the commits within a block."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyspark.sql import SparkSession

USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
"""What the history of the table says of the commit."""


@contextmanager
def commit_settings(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Set settings of the session for the length of a block, which makes one commit."""
    for key, value in settings.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key in settings:
            spark.conf.unset(key)
