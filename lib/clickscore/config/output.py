"""Where scored and rejected clicks go, and the names that their tables must not have."""

from pydantic import model_validator

from clickscore.config.fields import Section, TableName

BESIDE_SCORED = (
    "model_timeline", "stream_metrics", "source_gaps", "backfills", "erasures", "outcomes", "model_decisions",
)  # fmt: skip
"""Names of the tables that are made next to the scored clicks."""
_OUTCOMES = "outcomes"
"""The one of them that an erasure and retention take rows from."""


class Output(Section):
    """The two main tables; others, such as ``model_timeline`` and ``source_gaps``, are created next to ``scored``.

    Their names differ also without folder or schema: the ledger of erasures knows a table by its name alone.

    Example::

        output: {scored: build/demo/scored_clicks, rejected: build/demo/rejected_clicks}

    Attributes:
        scored: table of the scored clicks.
        rejected: table of the rejected records.
    """

    scored: TableName
    rejected: TableName

    @model_validator(mode="after")
    def _are_two(self) -> "Output":
        if self.scored.rstrip("/") == self.rejected.rstrip("/"):
            raise ValueError(f"scored and rejected are the same table, {self.scored}; name two")
        return self

    @model_validator(mode="after")
    def _have_names_of_their_own(self) -> "Output":
        """The ledger of what was erased, or was too old, knows a table by its name alone."""
        rejected = _last_name(self.rejected)
        if rejected in (_last_name(self.scored), _OUTCOMES):
            other = f"the table {_OUTCOMES} of clickscore" if rejected == _OUTCOMES else self.scored
            raise ValueError(
                f"expected two tables whose names differ also without folder or schema, found {self.rejected} and "
                f"{other}; rename the first: while no job runs, move its folder, or ALTER TABLE ... RENAME TO ..."
            )
        return self


def _last_name(table: str) -> str:
    return table.rstrip("/").rpartition("/" if "/" in table else ".")[2].strip("`")
