"""Have scores or features moved? Each period against the first one, in the same bins."""

from collections import defaultdict
from collections.abc import Collection
from math import isfinite

import duckdb

from clickscore.errors import gist
from clickscore.report import charts
from clickscore.report.bins import (
    LEVELS,
    MOVED,
    MOVED_FAR,
    QUANTILES,
    counts_below,
    edges_of,
    in_bins,
    level,
    psi,
    verdict,
)
from clickscore.report.features_over_time import count_features
from clickscore.report.masking import masked_detail
from clickscore.report.periods import DAY, MOST_PERIODS, WIDTHS, iso, label, name_of
from clickscore.report.run_tables import RunTables
from clickscore.report.sections import Chart, Grid, Section, count, listed, plural
from clickscore.report.since_training import compare, ignored_note
from clickscore.report.slices import compare_slices
from clickscore.scoring.features import Features

LEAST_CLICKS, LEAST_PART = 500, 0.0001
"""Of a period that is compared: the shares of fewer clicks differ by chance, and a small part has a wrong clock."""
_MOST_VERSIONS = 6
"""In one chart, the newest ones."""
_BINS = 40
"""Of the histogram of the scores."""
_QUESTION = "Have scores or features moved?"


def section(
    tables: RunTables, features: Features, ignored: Collection[str] = (), by: str | None = None
) -> Section:  # fmt: skip
    """Return the section about the distributions of scores and features.

    Args:
        tables: the tables of the run.
        features: the features file.
        ignored: features that no sentence calls moved, such as those of the calendar.
        by: a column of ``scored_clicks``, of which each value is compared for itself.
    """
    width, periods, others = _periods(tables)
    if not periods:
        return Section(
            "movement", _QUESTION, (f"No {name_of(width)} has {LEAST_CLICKS} clicks or more: too few to compare.",)
        )
    versions = _versions(tables)
    reference = f"The first {name_of(width)} in the table, {label(periods[0], width)} by {tables.contract.time}"
    found = [_histogram(tables, versions), _scores(tables, versions, width, periods)]
    parts, slices = (
        compare_slices(tables, by, versions[-1], width, periods, LEAST_CLICKS) if by and versions else ((), None)
    )
    more = [slices] if slices else []
    if training := compare(tables, LEAST_CLICKS, ignored):
        shown = (*found, training.chart, *more)
        return Section("movement", _QUESTION, (*training.sentences, *parts), shown, (training.grid,))
    said = [f"{reference}, is the reference: no version has the baseline of its training in the tables."]
    if others:
        said.append(f"{plural(others, 'click')} in other periods, with few clicks or long ago, are not compared.")
    if len(periods) == 1:
        said.append(f"There is no second {name_of(width)} to compare it with.")
        return Section("movement", _QUESTION, (*said, *parts), (*found, *more))
    said += _moved_scores(tables, versions, width, periods)
    chart, sentence = _moved_features(tables, features, width, periods, ignored)
    found += [chart] if chart else []
    return Section("movement", _QUESTION, (*said, sentence, *parts), (*found, *more))


def _periods(tables: RunTables) -> tuple[int, list[int], int]:
    """Return the width of the periods, the starts of those that are compared, and the clicks outside of them."""
    days = tables.ask("SELECT floor(_event_s / $1)::BIGINT, count(*) FROM scored GROUP BY 1", DAY)
    least = max(LEAST_CLICKS, LEAST_PART * sum(clicks for _, clicks in days))
    many = [day for day, clicks in days if clicks >= least]
    if len(many) == 1:
        width = WIDTHS[WIDTHS.index(DAY) - 2]
    else:
        spanned = (max(many) - min(many) + 1) * DAY if many else DAY
        width = next((width for width in WIDTHS if width >= DAY and spanned <= width * MOST_PERIODS), WIDTHS[-1])
    clicks_of: dict[int, int] = dict(
        tables.ask("SELECT (floor(_event_s / $1) * $1)::BIGINT, count(*) FROM scored GROUP BY 1", width)
    )
    periods = sorted(start for start, clicks in clicks_of.items() if clicks >= least)
    kept = [periods[0], *periods[1:][-MOST_PERIODS:]] if periods else []
    return width, kept, sum(clicks for start, clicks in clicks_of.items() if start not in kept)


def _versions(tables: RunTables) -> list[str]:
    """Return the versions that have scored, the newest last."""
    found = tables.ask(
        "SELECT model_version FROM micro_batch WHERE scored > 0 GROUP BY 1 ORDER BY max(began_s) DESC LIMIT $1",
        _MOST_VERSIONS,
    )
    return [version for (version,) in reversed(found)]


def _histogram(tables: RunTables, versions: list[str]) -> Chart:
    [(low, high)] = tables.ask("SELECT min(score), max(score) FROM scored")
    step = (high - low) / _BINS if low is not None and high > low and isfinite(high - low) else 1.0
    low = 0.0 if low is None else low
    found = tables.ask(
        """
        SELECT model_version, least(floor((score - $1) / $2), $3)::BIGINT AS place, count(*) FROM scored
        WHERE score IS NOT NULL AND list_contains($4::VARCHAR[], model_version) GROUP BY ALL ORDER BY ALL
        """,
        low, step, _BINS - 1, versions,
    )  # fmt: skip
    clicks: dict[str, dict[int, int]] = defaultdict(dict)
    for version, place, number in found:
        clicks[version][place] = number
    last = max((place for _, place, _ in found), default=0)
    rows, cells = [], []
    for place in range(last + 1):
        start = low + place * step
        name = f"{start:.4g} to {start + step:.4g}"
        parts = [
            100 * clicks[version].get(place, 0) / sum(clicks[version].values())
            for version in versions
            if clicks[version]
        ]
        named = [version for version in versions if clicks[version]]
        rows += [
            {"kind": f"version {version}", "low": start, "bin": name, "number": part}
            for version, part in zip(named, parts, strict=True)
        ]
        cells.append((name, *(count(clicks[version].get(place, 0)) for version in versions)))
    names = [f"version {version}" for version in versions]
    grid = Grid(("score", *(f">clicks of {name}" for name in names)), tuple(cells))
    spec = charts.shares(rows, names, "score", "clicks in %")
    return Chart("scores", "Distribution of the score, by model version", spec, grid)


def _scores(tables: RunTables, versions: list[str], width: int, periods: list[int]) -> Chart:
    found = tables.ask(
        """
        SELECT (floor(_event_s / $1) * $1)::BIGINT AS period, model_version,
          approx_quantile(score, [0.1, 0.5, 0.9]), count(*)
        FROM scored WHERE list_contains($2::VARCHAR[], model_version) AND score IS NOT NULL
        GROUP BY period, model_version HAVING count(*) >= $3 ORDER BY period, model_version
        """,
        width, versions, LEAST_CLICKS,
    )  # fmt: skip
    found = [row for row in found if row[0] in periods]
    rows = [
        {"at": iso(start), "period": label(start, width), "kind": f"version {version}",
         "low": low, "middle": middle, "high": high}
        for start, version, (low, middle, high), _ in found
    ]  # fmt: skip
    grid = Grid(
        ("from, UTC", "version", ">clicks", ">10% below", ">median", ">10% above"),
        tuple(
            (label(start, width), version, count(clicks), *(f"{value:.4f}" for value in values))
            for start, version, values, clicks in found
        ),
    )
    names = [f"version {version}" for version in versions]
    title = f"Score per {name_of(width)} of {tables.contract.time}: median, and the range of the middle 80%"
    return Chart("scores-over-time", title, charts.band_over_time(rows, names, "score"), grid)


def _moved_scores(tables: RunTables, versions: list[str], width: int, periods: list[int]) -> list[str]:
    """Compare the scores of each version with those of its own first period: a swap is not called a movement."""
    said = []
    for version in versions:
        counted: dict[int, int] = dict(
            tables.ask(
                """
                SELECT (floor(_event_s / $1) * $1)::BIGINT AS period, count(*) AS clicks
                FROM scored WHERE model_version = $2 AND score IS NOT NULL GROUP BY period HAVING clicks >= $3
                """,
                width, version, LEAST_CLICKS,
            )
        )  # fmt: skip
        compared = sorted(counted.keys() & set(periods))
        if not compared[1:]:
            continue
        [(quantiles,)] = tables.ask(
            f"FROM scored SELECT approx_quantile(score, {list(QUANTILES)}) "
            "WHERE model_version = $2 AND score IS NOT NULL AND (floor(_event_s / $1) * $1)::BIGINT = $3",
            width, version, compared[0],
        )  # fmt: skip
        below = ", ".join(counts_below("score", edges_of(quantiles)))
        bins = {
            start: in_bins(numbers)
            for start, *numbers in tables.ask(
                f"FROM scored SELECT (floor(_event_s / $1) * $1)::BIGINT AS period, {below} "
                "WHERE model_version = $2 AND score IS NOT NULL GROUP BY period",
                width, version,
            )
        }  # fmt: skip
        most, when = max((psi(bins[compared[0]], bins[start]), start) for start in compared[1:])
        said.append(
            f"Scores of version {version}: {verdict(most)}, the PSI is {most:.3f} at most "
            f"({label(when, width)}, against {label(compared[0], width)})."
        )
    return said


def _moved_features(
    tables: RunTables, features: Features, width: int, periods: list[int], ignored: Collection[str]
) -> tuple[Chart | None, str]:
    if missing := [name for name in features.reads if name not in tables.scored.rows.schema.names]:
        lacks = f"{tables.scored.name} lacks {listed(missing)}"
        return None, f"{lacks}, which {features.where} reads: no feature is compared."
    try:
        counts = count_features(tables, features, width, periods)
    except duckdb.Error as error:  # the file has changed since, or the table has fields of other types
        why = masked_detail(gist(error))  # DuckDB quotes values
        return None, f"Features are not compared: DuckDB cannot compute {features.where} over the table: {why}"
    if not counts:
        return None, f"{features.where} has no feature that is a number: none is compared."
    indices = {
        name: {start: psi(bins[periods[0]], bins[start]) for start in periods[1:]} for name, bins in counts.items()
    }
    names = sorted(indices, key=lambda name: -max(indices[name].values()))
    rows = [
        {
            "name": name,
            "period": label(start, width),
            "number": index,
            "level": level(index),
        }
        for name in names
        for start, index in indices[name].items()
    ]
    grid = Grid(
        ("feature", *(f">{label(start, width)}" for start in periods[1:])),
        tuple((name, *(f"{index:.3f}" for index in indices[name].values())) for name in names),
    )
    moved = [name for name in names if name not in ignored and max(indices[name].values()) >= MOVED]
    title = f"PSI of each feature per {name_of(width)}, against {label(periods[0], width)}"
    note = (
        f"From {MOVED} on a feature has moved, from {MOVED_FAR} on it has moved far. Features are computed by the "
        f"features file as it is now.{ignored_note(ignored, names)}"
    )
    chart = Chart("features", title, charts.heat(rows, names, LEVELS, "PSI"), grid, note)
    if moved:
        return chart, f"{plural(len(moved), 'feature')} of {len(names):,} moved: {listed(moved)}."
    return chart, f"None of the {len(names):,} features moved."
