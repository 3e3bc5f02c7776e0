"""Have the scores of some clicks moved, such as those of one device? Each value of a column against its own past."""

from collections import defaultdict
from dataclasses import dataclass

import pyarrow as pa

from clickscore.errors import ConfigError
from clickscore.report import charts
from clickscore.report.bins import LEVELS, QUANTILES, counts_below, edges_of, in_bins, level, psi, verdict
from clickscore.report.periods import label, name_of
from clickscore.report.run_tables import RunTables
from clickscore.report.sections import Chart, Grid, count, listed, plural
from clickscore.scoring.feature_engine import quoted

MOST_VALUES = 12
"""Of a column, those with the most clicks; all other values are one slice."""
OTHER, NULL = "other values", "null"
_MOST_CHARACTERS = 40


@dataclass(frozen=True)
class Slice:
    """The clicks with one value of a column.

    Attributes:
        name: the value as text.
        clicks: by the start of a period, in seconds since 1970.
        means: mean score of these.
        indices: PSI of the scores of the later periods, against its first one.
    """

    name: str
    clicks: dict[int, int]
    means: dict[int, float]
    indices: dict[int, float]

    @property
    def most(self) -> float:
        """The greatest PSI."""
        return max(self.indices.values(), default=0.0)


def check_column(tables: RunTables, by: str) -> None:
    """Make sure that a column can slice the clicks without telling who has made them.

    Raises:
        ConfigError: if it is not in ``scored_clicks``, tells clicks or visitors apart, or has values of another sort.
    """
    schema, contract = tables.scored.rows.schema, tables.contract
    roles = (contract.id, contract.visitor, contract.time)
    usable = [field.name for field in schema if _has_values(field.type) and field.name not in roles]
    if by in roles:
        raise ConfigError(f"--by {by}", [f"it tells single clicks or visitors apart; expected one of {_few(usable)}"])
    if by not in usable:
        found = "there is no such column" if by not in schema.names else f"it is {schema.field(by).type}"
        raise ConfigError(f"--by {by}", [f"expected texts, booleans or whole numbers; {found}. Name {_few(usable)}"])


def compare_slices(
    tables: RunTables, by: str, version: str, width: int, periods: list[int], least: int
) -> tuple[tuple[str, ...], Chart | None]:  # fmt: skip
    """Compare the scores of one version, slice by slice; each with those of the first period that has enough of it.

    Args:
        tables: the tables of the run.
        by: the column.
        version: of the model.
        width: of the periods, in seconds.
        periods: their starts, in seconds since 1970.
        least: clicks of a slice in a period that is compared; the shares of fewer differ by chance.

    Returns:
        What has moved in words, and a chart; None where no slice can be compared.
    """
    found = [each for each in _slices(tables, by, version, width, periods, least) if each.indices]
    if not found:
        few = f"no value of {by} has {least} clicks of version {version} in two {name_of(width)}s"
        return (f"{few}: too few to compare.",), None
    found.sort(key=lambda each: -each.most)
    moved = [f"{each.name} ({each.most:.2f})" for each in found if level(each.most) != LEVELS[0]]
    said = f"{plural(len(moved), 'slice')} of {len(found):,} moved: {listed(moved)}" if moved else "none has moved"
    said = f"Scores of version {version} by {by}, each value against its own first {name_of(width)}: {said}."
    return (said,), _chart(found, by, version, width)


def _slices(
    tables: RunTables, by: str, version: str, width: int, periods: list[int], least: int
) -> list[Slice]:  # fmt: skip
    value = f"coalesce(left({quoted(by)}::VARCHAR, {_MOST_CHARACTERS}), '{NULL}')"
    tables.database.execute(
        f"CREATE OR REPLACE TEMP VIEW sliced AS FROM scored SELECT {value} AS slice, model_version, score, _event_s "
        "WHERE score IS NOT NULL"
    )
    names = [
        name
        for (name,) in tables.ask(
            "FROM sliced SELECT slice WHERE model_version = $1 GROUP BY slice ORDER BY count(*) DESC, slice LIMIT $2",
            version, MOST_VALUES,
        )
    ]  # fmt: skip
    [(quantiles,)] = tables.ask(
        f"FROM sliced SELECT approx_quantile(score, {list(QUANTILES)}) WHERE model_version = $1", version
    )
    aggregates = ", ".join(counts_below("score", edges_of(quantiles or ())))
    rows = tables.ask(
        f"FROM sliced SELECT if(list_contains($2::VARCHAR[], slice), slice, '{OTHER}') AS name, "
        f"(floor(_event_s / $3) * $3)::BIGINT AS period, avg(score), {aggregates} "
        "WHERE model_version = $1 GROUP BY ALL HAVING count(*) >= $4 ORDER BY ALL",
        version, names, width, least,
    )  # fmt: skip
    means: dict[str, dict[int, float]] = defaultdict(dict)
    bins: dict[str, dict[int, dict[int, int]]] = defaultdict(dict)
    for slice_name, period, mean, *counted in rows:
        if period in periods:
            means[slice_name][period] = mean
            bins[slice_name][period] = in_bins(counted)
    return [
        Slice(
            slice_name,
            {period: sum(each.values()) for period, each in counts.items()},
            means[slice_name],
            {period: psi(counts[min(counts)], each) for period, each in counts.items() if period != min(counts)},
        )
        for slice_name, counts in bins.items()
    ]


def _chart(slices: list[Slice], by: str, version: str, width: int) -> Chart:
    rows = [
        {"name": each.name, "period": label(start, width), "number": index, "level": level(index)}
        for each in slices
        for start, index in each.indices.items()
    ]
    columns = (
        by, ">clicks", ">mean score at first", ">mean score in the newest", ">PSI at most", "from", "the score has",
    )  # fmt: skip
    cells = tuple(
        (
            each.name, count(sum(each.clicks.values())), f"{each.means[min(each.means)]:.4f}",
            f"{each.means[max(each.means)]:.4f}", f"{each.most:.3f}",
            label(max(each.indices, key=lambda period: each.indices[period]), width), verdict(each.most),
        )
        for each in slices
    )  # fmt: skip
    title = f"PSI of the score by {by} per {name_of(width)}, version {version}, against the first of each value"
    names = [each.name for each in slices]
    return Chart("slices", title, charts.heat(rows, names, LEVELS, "PSI"), Grid(columns, cells))


def _has_values(kind: pa.DataType) -> bool:
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return bool(is_text or pa.types.is_boolean(kind) or pa.types.is_integer(kind))


def _few(names: list[str]) -> str:
    return listed(names, 8)
