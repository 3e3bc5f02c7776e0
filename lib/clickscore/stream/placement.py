"""Where the parts of a run lie: source, checkpoint and tables are folders, each of its own and none inside another.

Maintenance deletes what it does not know in the folder of a table, a landing folder is read with all folders in it, and
a table that stands for two of them gets rows of two shapes.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from pyspark.sql import SparkSession

from clickscore.config.fields import pattern_characters
from clickscore.config.output import BESIDE_SCORED
from clickscore.config.run import Config
from clickscore.config.source import DeltaSource, FolderSource
from clickscore.errors import ConfigError, TableError
from clickscore.storage import places
from clickscore.storage.places import UnknownPlaceError
from clickscore.storage.table import Table

_CATALOG = "catalog:"
"""Begins the place of a table in a catalog, which is its whole name."""


class Part(NamedTuple):
    """A part of a run.

    Attributes:
        role: key of the configuration, or what it is.
        name: as the configuration spells it.
        place: the one spelling of it.
    """

    role: str
    name: str
    place: str


def check_placement(spark: SparkSession, config: Config) -> None:
    """Make sure that the parts of a run are places that Spark can use, and do not overlap.

    Raises:
        ConfigError: with everything that is wrong.
    """
    parts, problems = list[Part](), list[str]()
    for role, named in _named(config):
        try:
            parts.append(_locate(spark, role, named))
            problems += _obstacles(spark, parts[-1])
        except UnknownPlaceError as error:
            problems.append(f"{role}: {error}. Correct the path.")
    problems += find_overlaps(parts)
    if problems:
        raise ConfigError("the configuration", problems)


def check_apart(spark: SparkSession, config: Config, role: str, table: Table) -> None:
    """Make sure that a table of another purpose is no part of a run, and does not lie in one, or the other way round.

    Raises:
        TableError: if it does.
    """
    try:
        mine = _locate(spark, role, table)
        others = [_locate(spark, other, named) for other, named in _named(config)]
    except UnknownPlaceError as error:
        raise TableError(f"{role}: {error}. Correct the path.") from None
    overlaps = [problem for other in others for problem in find_overlaps([mine, other])]
    if overlaps:
        raise TableError(" ".join(overlaps))


def _locate(spark: SparkSession, role: str, named: Table | str) -> Part:
    if isinstance(named, str):
        return Part(role, named, places.real(spark, named))
    # Where the files of a catalog are is its own affair, and not always open to us.
    place = places.real(spark, named.location) if named.is_path else _CATALOG + named.full_name(spark)
    return Part(role, named.name, place)


def _obstacles(spark: SparkSession, part: Part) -> Iterator[str]:
    """Yield what keeps a part from being a folder."""
    if part.place.startswith(_CATALOG):
        return
    if found := pattern_characters(part.place):
        yield f"{part.role}: {part.place} has {found}, which Spark takes for a pattern. Use another folder."
    elif file := places.file_in_the_way(spark, part.place):
        yield f"{part.role}: expected a folder, or room for one, at {part.name}; found the file {file}."


def find_overlaps(parts: list[Part]) -> list[str]:
    """Return a sentence for each two parts that are one place, or lie one inside the other."""
    found = []
    for one, other in combinations(parts, 2):
        if one.place == other.place:
            found.append(f"{one.role} and {other.role} are the same place, {one.place}: each needs one of its own.")
        for inner, outer in ((one, other), (other, one)):
            if places.is_inside(inner.place, outer.place):
                found.append(f"{inner.role}, {inner.name}, lies inside {outer.role}, {outer.name}: move it outside.")
    return found


def _named(config: Config) -> Iterator[tuple[str, Table | str]]:
    """Yield all parts of a run, each a table or a path."""
    if isinstance(config.source, FolderSource):
        yield "source.path", config.source.path
    elif isinstance(config.source, DeltaSource):
        yield "source.table", Table(config.source.table)
    scored = Table(config.output.scored)
    yield "checkpoint", config.checkpoint
    yield "output.scored", scored
    yield "output.rejected", Table(config.output.rejected)
    for name in BESIDE_SCORED:
        yield f"{name}, which stands beside output.scored,", scored.beside(name)
