"""Files and folders on any file system that Spark knows, through Hadoop's FileSystem: a look costs no Spark job."""

import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

from py4j.protocol import Py4JJavaError
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from clickscore.spark_errors import is_file_not_found

LISTING_PAGE = 10_000
"""Paths that the JVM puts into one text, some 2 MB."""

_SETTINGS: WeakKeyDictionary[SparkSession, Any] = WeakKeyDictionary()
"""Hadoop's settings of each session, as they were at the first look: to put them together takes longer than a look."""

_READ_ALL_THE_SAME = ("_metadata", "_common_metadata")
"""Names that begin so are Parquet's own. Spark lists such files, and reads all files in such folders."""
_BEING_COPIED = "._COPYING_"
"""Ends a name as long as ``hadoop fs -put`` writes there."""
_SCHEME = "^[A-Za-z][A-Za-z0-9+.-]*:(//)?"
_BETWEEN = "\0"
"""The one character that no path has."""


def path_exists(spark: SparkSession, path: str) -> bool:
    """Tell whether there is a file or folder at the path."""
    place, system = hadoop_path(spark, path)
    return bool(system.exists(place))


def file_names(spark: SparkSession, folder: str) -> list[str]:
    """Return the names of what is in a folder, but for hidden names; none if there is no such folder."""
    place, system = hadoop_path(spark, folder)
    try:
        found = system.listStatus(place)
    except Py4JJavaError as error:
        if is_file_not_found(error):
            return []
        raise
    names = (PurePosixPath(path).name for path in _paths(spark, found))
    return [name for name in names if not is_hidden(name)]


def holds_files(spark: SparkSession, folder: str) -> bool:
    """Tell whether there are files in a folder or below it, but for hidden ones; false if there is no such folder."""
    return path_exists(spark, folder) and any(not is_hidden(path) for path in all_files(spark, folder))


def all_files(spark: SparkSession, folder: str) -> Iterator[str]:
    """Yield the paths of all files within a folder, from it on; Spark's own listing does not show hidden ones."""
    place, system = hadoop_path(spark, folder)
    start = system.getFileStatus(place).getPath().toString().rstrip("/") + "/"
    found = _hadoop(spark).util.functional.RemoteIterators.toList(system.listFiles(place, True))
    # Py4J passes an array on only where its type is just what the method declares.
    statuses = _array(spark, found.toArray(), _hadoop(spark).fs.FileStatus)
    for path in _paths(spark, statuses):
        yield path.removeprefix(start)


def is_hidden(path: str) -> bool:
    """Tell whether Spark passes over a file, because of its name or that of a folder on the way to it.

    So it does with names that begin with a dot, or with an underscore unless there is an equals sign in them, as that
    may stand for a column: ``HadoopFSUtils.shouldFilterOutPathName`` and ``PartitioningAwareFileIndex.isDataPath``.
    """
    *folders, name = PurePosixPath(path).parts
    return _begins_hidden(name) or any(map(is_hidden_folder, folders))


def is_hidden_folder(name: str) -> bool:
    """Tell whether Spark passes over a folder with such a name, and over all that is in it."""
    is_read = name.startswith(_READ_ALL_THE_SAME)
    return (_begins_hidden(name) and not is_read) or name.endswith(_BEING_COPIED)


def _begins_hidden(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def read_text(spark: SparkSession, file: str) -> str | None:
    """Return the text of a small file; None if there is no such file, or another process is just replacing it."""
    place, system = hadoop_path(spark, file)
    try:
        stream = system.open(place)
    except Py4JJavaError as error:
        if is_file_not_found(error):
            return None
        raise
    try:
        return str(_jvm(spark).org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
    finally:
        stream.close()


def read_lines(spark: SparkSession, folder: str) -> list[str]:
    """Return the lines of the small text files in a folder; none if there is no such folder."""
    texts = (read_text(spark, f"{folder}/{name}") or "" for name in file_names(spark, folder))
    return [line for text in texts for line in text.splitlines()]


def write_text(spark: SparkSession, file: str, text: str) -> None:
    """Write a small file, in the place of the one that may be there; folders above it are made."""
    place, system = hadoop_path(spark, file)
    stream = system.create(place, True)
    try:
        stream.write(text.encode())
    finally:
        stream.close()


def changed_at(spark: SparkSession, path: str) -> datetime | None:
    """Return when a file was changed last; None if there is no such file any more."""
    place, system = hadoop_path(spark, path)
    try:
        return datetime.fromtimestamp(system.getFileStatus(place).getModificationTime() / 1000, timezone.utc)
    except Py4JJavaError as error:
        if is_file_not_found(error):
            return None
        raise


def remove(spark: SparkSession, path: str) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    place, system = hadoop_path(spark, path)
    system.delete(place, True)


def move(spark: SparkSession, path: str, target: str) -> bool:
    """Move a file to a place where nothing is; folders above it are made. Tell whether that was possible."""
    place, system = hadoop_path(spark, path)
    goal, _ = hadoop_path(spark, target)
    return bool(system.mkdirs(goal.getParent())) and bool(system.rename(place, goal))


def hadoop_path(spark: SparkSession, path: str) -> tuple[Any, Any]:
    """Return a path as Hadoop's Path, and its FileSystem, with the settings that Spark uses for its own checkpoints."""
    if spark not in _SETTINGS:
        session: Any = spark
        _SETTINGS[spark] = session._jsparkSession.sessionState().newHadoopConf()
    place = _hadoop(spark).fs.Path(path)
    return place, place.getFileSystem(_SETTINGS[spark])


def _jvm(spark: SparkSession) -> Any:
    return spark.sparkContext._jvm


def _hadoop(spark: SparkSession) -> Any:
    return _jvm(spark).org.apache.hadoop


def _paths(spark: SparkSession, statuses: Any) -> Iterator[str]:
    """Yield the paths of Hadoop's statuses; one by one, each would be a question to the JVM."""
    found = _array(spark, _hadoop(spark).fs.FileUtil.stat2Paths(statuses), _jvm(spark).java.lang.Object)
    paths = _jvm(spark).java.util.Arrays.asList(found)
    for begin in range(0, len(found), LISTING_PAGE):
        page = paths.subList(begin, min(begin + LISTING_PAGE, len(found)))
        yield from _hadoop(spark).util.StringUtils.join(_BETWEEN, page).split(_BETWEEN)


def _array(spark: SparkSession, found: Any, of: Any) -> Any:
    """Return a Java array as one of another type."""
    gateway: Any = spark.sparkContext._gateway
    copy = gateway.new_array(of, len(found))
    _jvm(spark).java.lang.System.arraycopy(found, 0, copy, 0, len(found))
    return copy


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
