"""Import the package in a task of an executor, and print where it has come from."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession


def where(_: object) -> list[str]:
    """Return the file of the package, and the Python that has imported it."""
    import clickscore.scoring.decoding
    import shopsim.records

    assert shopsim.records
    return [str(Path(clickscore.scoring.decoding.__file__).absolute()), sys.executable]


if __name__ == "__main__":
    session = SparkSession.builder.appName("where").getOrCreate()
    found = session.sparkContext.parallelize([1], 1).mapPartitions(where).collect()
    Path(sys.argv[1]).write_text("\n".join(found))
