from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.errors import TableError
from clickscore.outcomes import joined
from clickscore.outcomes.labels import with_outcome
from clickscore.storage.table import Table

OUTCOME = {"success": "price > 100", "unit": "session", "session": "visit", "window": "60 minutes"}
DDL = "id STRING, visit STRING, at TIMESTAMP, price DOUBLE, score DOUBLE, scored_at TIMESTAMP"
CLICKS = [("c1", "a", "12:00", 1.0), ("c2", "a", "12:59", 200.0), ("c3", "a", "13:00", 1.0), ("c4", "b", "12:01", 1.0),
          ("c5", "c", "12:30", 200.0), ("c6", None, "12:00", 200.0)]  # fmt: skip
KNOWN = {"c1": 1.0, "c2": 1.0, "c3": None, "c4": None, "c5": None, "c6": None}
"""At 13:00: visit b is open until 13:01, and c3 is after the hour of its visit."""


def documented_query() -> str:
    """Return the query of the page that joins score and outcome."""
    return Path("docs/outcomes.md").read_text().partition("```sql\n")[2].partition("```")[0]


def test_click_has_the_outcome_of_its_own_unit_with_the_table_as_without_it(spark: SparkSession, shop: Any) -> None:
    shop.set(outcome=OUTCOME)
    rows = [(click_id, visit, datetime.fromisoformat(f"2026-03-01T{at}"), price, 0.5, datetime(2026, 3, 2))
            for click_id, visit, at, price in CLICKS]  # fmt: skip
    scored = Table(f"{shop.home}/scored_clicks")
    scored.append(spark.createDataFrame(rows, DDL))
    scored.set_properties(spark, {"clickscore.stream": "one"})

    def found() -> dict[str, float | None]:
        frame = with_outcome(spark, shop.config, "_outcome")
        assert frame.columns == [*scored.columns(spark), "_outcome"]
        return {row.id: row._outcome for row in frame.collect()}

    assert found() == KNOWN
    joined.join(spark, shop.config, joined.definition(shop.config), has_ended=False)
    assert found() == KNOWN
    query = documented_query().replace("build/demo", str(shop.home))
    for name, here in (("event_time", "at"), ("session_id", "visit"), ("model_version", "id")):
        query = query.replace(name, here)
    assert {row.id: row.success for row in spark.sql(query).collect()} == {"c1": True, "c2": True}
    scored.beside("outcomes").delta(spark).update("unit_id = 'a'", {"success": "false"})
    assert found() == {**KNOWN, "c1": 0.0, "c2": 0.0}  # so it is the table that is read
    shop.set(outcome={**OUTCOME, "window": "2 hours"})
    with pytest.raises(TableError, match="another definition"):
        found()
    shop.set(outcome=None)
    assert found() == dict.fromkeys(KNOWN)
