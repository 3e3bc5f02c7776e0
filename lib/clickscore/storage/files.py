"""Files and folders on any file system that Spark can read, listed without reading them."""

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from pyspark.errors import AnalysisException
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from clickscore.spark_errors import SPARK_ERRORS, is_missing_file, is_missing_path

_SCHEME = "^[A-Za-z][A-Za-z0-9+.-]*:(//)?"


def path_exists(spark: SparkSession, path: str) -> bool:
    """Tell whether there is a file or folder at the path."""
    try:
        spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(path)
    except AnalysisException as error:
        if is_missing_path(error):
            return False
        raise
    return True


def file_names(spark: SparkSession, folder: str) -> list[str]:
    """Return the names of the files in a folder; none if there is no such folder."""
    if not path_exists(spark, folder):
        return []
    # The listing itself: a scan would pass over empty files, and an empty entry of a log is one that is damaged.
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(folder).inputFiles()
    return [PurePosixPath(plain_path(file)).name for file in files]


def read_lines(spark: SparkSession, folder: str) -> list[str]:
    """Return the lines of the text files in a folder; none if there is no such folder."""
    try:
        return [row.value for row in spark.read.schema("value STRING").text(folder).collect()]
    except SPARK_ERRORS as error:
        if is_missing_path(error) or is_missing_file(error):  # or another process is just replacing it
            return []
        raise


def plain_path(path: str) -> str:
    """Return the path of a file URI without scheme and escapes, for comparing paths that Spark writes differently."""
    parts = urlsplit(path)
    return parts.netloc + unquote(parts.path)


def plain_source(source: Column) -> Column:
    """Return the path of a file URI without its scheme: Spark writes ``file:/a`` here and ``file:///a`` there."""
    return F.regexp_replace(source, _SCHEME, "")


def plain_uri(uri: str) -> str:
    """Return a text as ``plain_source`` does a column."""
    return re.sub(_SCHEME, "", uri)
