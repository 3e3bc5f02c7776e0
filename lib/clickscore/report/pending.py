"""What tables that a run does not have yet would answer: one sentence each, and no empty chart."""

from clickscore.report.run_tables import RunTables
from clickscore.report.sections import Section


def outcomes(tables: RunTables) -> Section:
    """Return the section about what happened after the scores."""
    if tables.outcomes is None:
        said = (
            f"Unknown: there is no table outcomes beside {tables.scored.name}, which would say what visitors did after "
            f"they were scored. jobs/promote_model.py, which compares two versions, can tell it from the clicks "
            f"themselves: see training.converted."
        )
    else:
        said = f"This version of the report does not read {tables.outcomes.name} yet."
    return Section("outcomes", "Were the scores right?", (said,))
