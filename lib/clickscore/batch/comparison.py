"""How two scores of the same clicks differ: over all of them, by day, and by a column."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from clickscore.batch.rescoring import NEW, OLD
from clickscore.config.fields import nearest
from clickscore.errors import TableError

MOST_ROWS = 40
"""Days, and values of a column, that are printed: the newest, and those with the most clicks."""
_PART, _OLD_RANK, _NEW_RANK = "_part", "_old_rank", "_new_rank"


def figures(scores: DataFrame, by: Column) -> DataFrame:
    """Return how the scores differ, for each value of a column.

    The rank correlation is Spearman's, over all clicks of the value: equal scores share the mean of their ranks. Spark
    sorts for that on disk, so the number of clicks does not matter to the memory.

    Args:
        scores: ``old_score DOUBLE`` and ``new_score DOUBLE``, null where a version gave none.
        by: of which column the values are.

    Returns:
        ``value STRING``, ``clicks``, ``unscored``, those that have only one of the scores, ``changed``,
        ``mean_difference`` and ``worst_difference`` of the new score from the old one, and ``rank_correlation``, null
        where all scores of a version are alike.
    """
    both = F.col(OLD).isNotNull() & F.col(NEW).isNotNull()
    # Whether there are both scores is a part of its own, so that the ranks are among those that can be compared.
    part = [F.col(_PART), both]
    ranked = scores.select(OLD, NEW, by.cast("string").alias(_PART)).withColumns(
        {rank: _mean_rank(part, score) for rank, score in ((_OLD_RANK, OLD), (_NEW_RANK, NEW))}
    )
    difference = F.when(both, F.col(NEW) - F.col(OLD))
    ranks = [F.when(both, F.col(rank)) for rank in (_OLD_RANK, _NEW_RANK)]
    return ranked.groupBy(F.col(_PART).alias("value")).agg(
        F.count(F.lit(1)).alias("clicks"),
        F.count_if(~both).alias("unscored"),
        F.count_if(difference != 0).alias("changed"),
        F.avg(difference).alias("mean_difference"),
        F.max_by(difference, F.abs(difference)).alias("worst_difference"),
        F.corr(*ranks).alias("rank_correlation"),
    )


def _mean_rank(part: list[Column], score: str) -> Column:
    """Return the rank of a score, from 1; equal ones share the mean of theirs."""
    rank = F.rank().over(Window.partitionBy(*part).orderBy(score))
    return rank + (F.count(F.lit(1)).over(Window.partitionBy(*part, score)) - 1) / 2


def show(console: Console, title: str, scores: DataFrame, time: str, by: str | None) -> None:
    """Print the figures over all clicks, by day and, if one is named, by a column.

    Args:
        console: where they go.
        title: what is compared.
        scores: as of ``figures``, with the columns ``time`` and ``by``; read several times.
        time: name of the column with the time of the click.
        by: name of the other column.
    """
    grid = Grid(title=Text(title), title_justify="left", title_style="bold")
    names = ("", "clicks", "unscored", "changed", "mean difference", "worst difference", "rank correlation")
    for name in names:
        grid.add_column(name, justify="right" if name else "left", no_wrap=True)
    days = figures(scores, F.to_date(F.col(time))).orderBy(F.desc("value")).head(MOST_ROWS)[::-1]
    sections = [figures(scores, F.lit("all")).collect(), days]
    if by:
        sections.append(figures(scores, F.col(by)).orderBy(F.desc("clicks"), "value").head(MOST_ROWS))
    for rows in sections:
        for row in rows:
            differences = [_number(row.mean_difference, "+.6f"), _number(row.worst_difference, "+.6f")]
            value = "null" if row.value is None else row.value
            counts = [f"{row.clicks:,}", f"{row.unscored:,}", f"{row.changed:,}"]
            grid.add_row(Text(value), *counts, *differences, _number(row.rank_correlation, ".4f"))
        grid.add_section()
    console.print(grid)


def check_column(name: str, columns: list[str], table: str) -> None:
    """Make sure that a table has the column of a comparison.

    Raises:
        TableError: if not.
    """
    if name not in columns:
        raise TableError(f"--by: {table} has no column {name}{nearest(name, columns)}; it has {', '.join(columns)}.")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
