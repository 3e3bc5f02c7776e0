"""Is anything lost? What the tables can prove by themselves: rows against commits, rows against offsets, known gaps."""

from clickscore.report.periods import utc
from clickscore.report.run_tables import RunTables
from clickscore.report.sections import NOTHING, Grid, Section, count, moment, plural

MOST_ROWS = 50
"""Rows of a grid on the page; partitions and gaps can be many."""


def section(tables: RunTables) -> Section:
    """Return the section about records, rows, offsets and gaps."""
    [(scored, rejected, still_open)] = tables.ask(
        "SELECT sum(scored)::BIGINT, sum(rejected)::BIGINT, sum(still_open)::BIGINT FROM micro_batch"
    )
    replayed = rejected - still_open
    accounts = Grid(
        ("records", ">rows"),
        (
            ("scored", count(scored)),
            ("rejected, not replayed", count(still_open)),
            ("in exactly one row", count(scored + still_open)),
            ("rejected at first, then scored by a replay (counted as scored)", count(replayed)),
        ),
    )
    kept = plural(scored + still_open, "record")
    sentences = [
        f"{count(scored)} scored + {count(still_open)} rejected = {kept} in exactly one row each.",
        *_commits(tables),
    ]
    offsets, of_offsets = _offsets(tables)
    gaps, of_gaps = _gaps(tables)
    sentences += [*of_offsets, *of_gaps, _reads(tables)]
    grids = [("Where the records are", accounts)]
    grids += [("Offsets of each partition", offsets)] if offsets else []
    grids += [("Accepted gaps, newest first", gaps)] if gaps else []
    return Section("losses", "Is anything lost?", tuple(sentences), grids=tuple(grids))


def _reads(tables: RunTables) -> str:
    how = (
        "jobs/audit.py reads the source and the checkpoint, and compares them with the rows; the result of an audit is "
        "not stored in a table."
    )
    if tables.metrics is None:
        return (
            "How many records were read, and how many duplicates were counted, is not in the tables: there is no "
            f"stream_metrics beside {tables.scored.name}. {how}"
        )
    [(batches, read, scored, rejected, duplicates)] = tables.ask(
        """
        SELECT count(*), sum(read)::BIGINT, sum(scored)::BIGINT, sum(rejected)::BIGINT,
          coalesce(sum(duplicates), 0)::BIGINT FROM metrics
        """
    )
    if not batches:
        return f"{tables.metrics.name} has no row yet. {how}"
    lost = read - scored - rejected - duplicates
    sums = f"{count(scored)} scored + {count(rejected)} rejected + {count(duplicates)} duplicates"
    verdict = f"= {count(read)} read" if not lost else f"differ from {count(read)} read by {count(abs(lost))}"
    return f"stream_metrics counts, over {plural(batches, 'micro-batch')}: {sums} {verdict}. {how}"


def _commits(tables: RunTables) -> list[str]:
    """Compare the rows of each table with what the commits of its micro-batches wrote."""
    said = []
    for table, column in ((tables.scored, "scored"), (tables.rejected, "rejected")):
        written = {commit.batch_id: commit.rows for commit in table.commits if commit.rows is not None}
        held: dict[int, int] = dict(
            tables.ask(
                f"FROM micro_batch SELECT batch_id, sum({column})::BIGINT "
                "WHERE batch_id IN (SELECT unnest($1::BIGINT[])) GROUP BY batch_id",
                list(written),
            )
        )
        different = sorted(batch for batch, rows in written.items() if held.get(batch, 0) != rows)
        name = table.name.rstrip("/").rpartition("/")[2]
        if not written:
            said.append(f"The log of {name} no longer says how many rows its micro-batches wrote.")
        elif different:
            batch = different[0]
            wrote, there = plural(written[batch] or 0, "row"), count(held.get(batch, 0))
            said.append(
                f"{name} differs from its log in {plural(len(different), 'micro-batch')}: micro-batch {batch} wrote "
                f"{wrote}, {there} are there. Somebody has deleted or added rows."
            )
        else:
            batches = plural(len(written), "micro-batch")
            said.append(f"{name} has exactly the rows that its log counts, over the newest {batches}.")
    return said


def _offsets(tables: RunTables) -> tuple[Grid | None, list[str]]:
    """Compare the rows of each partition with the offsets between its first and its last row."""
    found = tables.ask(
        """
        WITH place AS (
          SELECT source, source_offset FROM scored WHERE source_offset IS NOT NULL
          UNION ALL
          SELECT source, source_offset FROM rejected WHERE source_offset IS NOT NULL AND _is_open
        ), part AS (
          SELECT source, min(source_offset) AS first, max(source_offset) AS last, count(*) AS held
          FROM place GROUP BY source
        ), lost AS (
          SELECT source, sum(greatest(0, least(last, last_offset) - greatest(first, first_offset) + 1))::BIGINT AS lost
          FROM part JOIN gaps USING (source) WHERE last_offset IS NOT NULL GROUP BY source
        )
        SELECT source, first, last, held, coalesce(lost, 0), last - first + 1 - held - coalesce(lost, 0) AS missing
        FROM part LEFT JOIN lost USING (source) ORDER BY missing = 0, source
        """
    )
    if not found:
        return None, []
    grid = Grid(
        ("partition", ">first offset", ">last offset", ">rows", ">in gaps", ">without a row"),
        tuple((str(source), *map(count, numbers)) for source, *numbers in found[:MOST_ROWS]),
    )
    missing = sum(max(0, row[-1]) for row in found)
    twice = [str(row[0]) for row in found if row[-1] < 0]
    if twice:
        return grid, [f"{', '.join(twice)}: more rows than offsets. Run jobs/audit.py, which names the duplicates."]
    if missing:
        said = (
            f"Offsets without a row, between the first and the last row of a partition: {count(missing)}. Duplicates "
            f"that were counted, marks of transactions and compacted records have none; jobs/audit.py tells them apart."
        )
        return grid, [said]
    return grid, [f"Every offset of {plural(len(found), 'partition')} has one row, from the first to the last one."]


def _gaps(tables: RunTables) -> tuple[Grid | None, list[str]]:
    if tables.gaps is None:
        return None, ["No gap in the source was accepted: there is no table source_gaps."]
    found = tables.ask(
        "SELECT epoch_us(detected_at) / 1e6, source, first_offset, last_offset, reason FROM gaps ORDER BY 1 DESC"
    )
    lost = sum(last - first + 1 for _, _, first, last, _ in found if last is not None)
    unknown = sum(last is None for _, _, _, last, _ in found)
    grid = Grid(
        ("found, UTC", "partition", ">first offset", ">last offset", "reason"),
        tuple(
            (moment(utc(at)), str(source), count(first), NOTHING if last is None else count(last), reason)
            for at, source, first, last, reason in found[:MOST_ROWS]
        ),
    )
    beyond = f", and {plural(unknown, 'gap')} of unknown length" if unknown else ""
    return grid, [f"Records lost in accepted gaps: {count(lost)}{beyond}."]
