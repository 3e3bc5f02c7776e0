"""Places: folders on any file system that Spark knows, in one spelling, so that two of them can be compared.

A folder has many names: relative, with dots, with or without its scheme, through a symbolic link or a mount. Spark
knows a file by the name that it was found under, so another name is another file to it.
"""

import os
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from clickscore.errors import gist
from clickscore.spark_errors import SPARK_ERRORS, root_cause
from clickscore.storage.files import hadoop_path, is_hidden_folder

_LOCAL = "file:"


class UnknownPlaceError(ValueError):
    """Raised when Spark knows no file system for a path."""


def qualified(spark: SparkSession, path: str) -> str:
    """Return a path as Spark writes it: absolute, with its scheme, without dots; links stay as they are.

    Raises:
        UnknownPlaceError: if it is no path, or of no file system that the session knows.
    """
    try:
        place, system = hadoop_path(spark, path)
        return str(system.makeQualified(place).toString())
    except SPARK_ERRORS as error:
        raise UnknownPlaceError(f"{path} cannot be reached: {_why(error)}") from None


def real(spark: SparkSession, path: str) -> str:
    """Return a path as ``qualified`` does, on a local file system without links."""
    place = qualified(spark, path)
    local = local_path(place)
    return place if local is None else _LOCAL + os.path.realpath(local)


def local_path(place: str) -> str | None:
    """Return the path of a qualified place on the file system of this machine; None if it is not there."""
    return place.removeprefix(_LOCAL) if place.startswith(f"{_LOCAL}/") else None


def is_same(one: str, other: str) -> bool:
    """Tell whether two qualified places are one folder; on a local file system, also through links and mounts."""
    if one == other:
        return True
    here, there = local_path(one), local_path(other)
    if here is None or there is None or not (Path(here).exists() and Path(there).exists()):
        return False
    return Path(here).samefile(there)


def is_inside(place: str, other: str) -> bool:
    """Tell whether a qualified place is below another one."""
    return place.startswith(other.rstrip("/") + "/")


def links_in(folder: str) -> list[str]:
    """Return the links in a local folder through which files of it, or of another link, are found a second time.

    Folders that Spark passes over because of their names do not count.

    Raises:
        OSError: if a folder cannot be read.
    """
    found, waiting, known = [], [folder], [os.path.realpath(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                visible = [entry for entry in entries if not is_hidden_folder(entry.name)]
        except FileNotFoundError:  # somebody has removed it since
            continue
        waiting += [entry.path for entry in visible if entry.is_dir(follow_symlinks=False)]
        for entry in visible:
            if entry.is_symlink() and Path(entry.path).is_dir():
                target = os.path.realpath(entry.path)
                if any(target == other or is_inside(target, other) or is_inside(other, target) for other in known):
                    found.append(entry.path)
                else:
                    known.append(target)
                    waiting.append(entry.path)
    return sorted(found)


def encoded(spark: SparkSession, place: str) -> str:
    """Return a qualified place with the escapes of a URI, as Spark writes the paths of files."""
    path, _ = hadoop_path(spark, place)
    return str(path.toUri().toString())


def file_in_the_way(spark: SparkSession, place: str) -> str | None:
    """Return what keeps a place from being a folder: a file that is there or, on a local file system, above it.

    Raises:
        UnknownPlaceError: if nobody can tell.
    """
    try:
        if local := local_path(place):
            return next((str(above) for above in (Path(local), *Path(local).parents) if above.is_file()), None)
    except OSError as error:  # such as a name that is too long
        raise UnknownPlaceError(f"{place} cannot be reached: {error.strerror}") from None
    try:
        path, system = hadoop_path(spark, place)
        return place if system.exists(path) and not system.getFileStatus(path).isDirectory() else None
    except SPARK_ERRORS as error:
        raise UnknownPlaceError(f"{place} cannot be reached: {_why(error)}") from None


def _why(error: Exception) -> str:
    return root_cause(error) if isinstance(error, Py4JJavaError) else gist(error)
