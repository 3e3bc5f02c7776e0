"""The witness: compares what was sent with what is in the tables, by delta-rs alone; it shares no code with the job."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable
from tests.chaos.job import UnsurvivedError

Key = tuple[str, str]
"""The table that a record belongs to, and what tells it apart there: the id of a click, or the raw record."""
SCORED, REJECTED = "scored", "rejected"
LINEAGE = ("source",)
"""Columns that tell where a record came from."""


@dataclass(frozen=True)
class Account:
    """How many records were sent, and what became of them."""

    sent: int
    scored: int
    rejected: int
    duplicates: int
    lost: int

    @property
    def is_settled(self) -> bool:
        """Whether each record is in exactly one row, and no row is anything else."""
        return not self.duplicates and not self.lost


def rows(tables: Path, name: str, columns: list[str]) -> list[tuple[object, ...]]:
    """Return columns of a table; nothing, as long as there is none."""
    place = str(tables / name)
    if not DeltaTable.is_deltatable(place):
        return []
    found = DeltaTable(place).to_pyarrow_table(columns=columns)
    return list(zip(*[found[column].to_pylist() for column in columns], strict=True))


def account(tables: Path, sent: Counter[Key]) -> Account:
    """Compare the tables with the records that were sent."""
    scored = Counter((SCORED, str(row[0])) for row in rows(tables, "scored_clicks", ["id"]))
    rejected = Counter((REJECTED, str(row[0])) for row in rows(tables, "rejected_clicks", ["raw"]))
    found = scored + rejected
    return Account(
        sent.total(), scored.total(), rejected.total(), (found - sent).total(), (sent - found).total()
    )  # fmt: skip


def check_models(tables: Path) -> None:
    """Make sure that each micro-batch was scored by one version, and by the one that the timeline promises."""
    versions: dict[int, set[str]] = {}
    for batch, version in set(rows(tables, "scored_clicks", ["batch_id", "model_version"])):
        versions.setdefault(int(str(batch)), set()).add(str(version))
    pins = sorted(
        (int(str(batch)), str(pinned_at), str(version))
        for batch, pinned_at, version, role, event in rows(
            tables, "model_timeline", ["from_batch", "pinned_at", "model_version", "role", "event"]
        )
        if (role, event) == ("champion", "scores")
    )
    if twice := [batch for batch, count in Counter(batch for batch, _, _ in pins).items() if count > 1]:
        raise UnsurvivedError(f"micro-batches {twice} were promised more than once: {pins}")
    for batch, found in sorted(versions.items()):
        promised = [version for first, _, version in pins if first <= batch][-1:]
        if found != set(promised):
            raise UnsurvivedError(
                f"micro-batch {batch} was scored by versions {sorted(found)}, promised was {promised}"
            )


def compare(tables: Path, undisturbed: dict[str, Path], erased: Counter[Key], lineage: Sequence[str] = LINEAGE) -> None:
    """Make sure that the rows equal those of runs that nobody has disturbed, one for each version of the model.

    Args:
        tables: what is looked at.
        undisturbed: the tables of the other runs.
        erased: records whose rows were deleted on request; nobody has asked the other runs for it.
        lineage: columns that say where a record came from.
    """
    facts = ["id", "at", "visitor", "price", "quantity", *lineage, "score", "model_version"]
    expected = {version: set(rows(place, "scored_clicks", facts)) for version, place in undisturbed.items()}
    for row in rows(tables, "scored_clicks", facts):
        if row not in expected[str(row[-1])]:
            raise UnsurvivedError(f"an undisturbed run has no such row as {row}")
    reasons = ["raw", "reason", "detail", *lineage]
    for place in undisturbed.values():
        kept = [row for row in rows(place, "rejected_clicks", reasons) if (REJECTED, row[0]) not in erased]
        if Counter(rows(tables, "rejected_clicks", reasons)) != Counter(kept):
            raise UnsurvivedError("the rejected clicks are not those of an undisturbed run")
