"""Where scored and rejected clicks go, and the names that their tables must not have."""

from pydantic import model_validator

from clickscore.config.fields import Section, TableName

BESIDE_SCORED = (
    "model_timeline", "stream_metrics", "source_gaps", "backfills", "erasures", "outcomes", "model_decisions",
)  # fmt: skip
"""Names of the tables that are made next to the scored clicks."""


class Output(Section):
    """The two main tables; others, such as ``model_timeline`` and ``source_gaps``, are created next to ``scored``.

    All have names of their own, whatever their folder or schema: the ledger of erasures knows a table by its name.

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
        scored, rejected = _last_name(self.scored), _last_name(self.rejected)
        taken = {scored: self.scored, **{name: f"the {name} that clickscore makes" for name in BESIDE_SCORED}}
        if rejected in taken:
            raise ValueError(
                f"expected tables whose names differ without their folder or schema, found {taken[rejected]} and "
                f"{self.rejected}; rename the table of the rejected records"
            )
        if scored in BESIDE_SCORED:
            raise ValueError(f"scored has the name of another table of clickscore, {scored}; rename it")
        return self


def _last_name(table: str) -> str:
    return table.rstrip("/").rpartition("/" if "/" in table else ".")[2].strip("`")
