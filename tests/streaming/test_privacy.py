"""A stream under rules of privacy: what it may not keep is in none of its files, lines, plans and pages."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from mlflow.models import infer_signature
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.errors import ConfigError, WiringError
from clickscore.reconciliation import audit, replay
from clickscore.reconciliation.rescoring import Selection
from clickscore.report.report import write_report
from clickscore.scoring.privacy_rules import hashed
from clickscore.storage.table import Table
from clickscore.stream import app

KEY, NEXT_KEY = "5e2f8d1c9b7a4063" * 2, "0f1e2d3c4b5a6978" * 2
MAIL, NAME, PRICE = "al!ce@example.org", "zoë!queen", 9876543.25
SECRETS = (MAIL, NAME, "zo\\u00eb!queen", str(PRICE), KEY, NEXT_KEY)
"""What the tables may not keep, as text and as JSON writes it, and what hides it."""
DDL = """
    id STRING NOT NULL COMMENT 'Unique id', at TIMESTAMP NOT NULL, visitor STRING NOT NULL, mail STRING NOT NULL,
    price DOUBLE, quantity INT, page_url STRING
"""
FEATURES = """
    SELECT if(quantity = 12, CAST(mail AS DOUBLE), price) AS double_price, quantity AS quantity FROM click
"""
PRIVACY = {
    "key": "env:CLICKSCORE_TEST_PRIVACY_KEY",
    "fields": {
        "id": "hash",
        "visitor": "hash",
        "mail": "drop",
        "price": "drop",
        "page_url": {"strip_query": ["q"]},
    },  # Spark hides a property of a table with ``url`` in it
}
FAILS_FEATURE, FAILS_MODEL, BREAKS_CONSTRAINT = 12, 13, 14
EXAMPLE = pd.DataFrame({"double_price": [1.0, 2.0], "quantity": [1.0, 2.0]})


class Quoting(mlflow.pyfunc.PythonModel):
    """Answers the quantity, and quotes the click that it cannot stand."""

    def predict(self, context: object, model_input: pd.DataFrame) -> np.ndarray:
        if (model_input["quantity"] == 13.0).any():
            raise ValueError(f"what is {model_input['double_price'].tolist()}?")
        return model_input["quantity"].to_numpy()


def click(number: int, **fields: Any) -> dict[str, Any]:
    page = f"https://{NAME}:{MAIL}@shop.example/shoes?q=red&user={MAIL}#{NAME}"
    return {"id": f"{NAME}-{number}", "at": "2026-03-01T12:00:00Z", "visitor": NAME, "mail": MAIL, "price": PRICE,
            "quantity": 1, "page_url": page, **fields}  # fmt: skip


@pytest.fixture
def private_shop(
    shop: Any, registry_uri: str, register_model: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A shop with rules of privacy, and a model that quotes what it is given."""
    register_model(mlflow.pyfunc.log_model, "quoting", python_model=Quoting(), input_example=EXAMPLE,
                   signature=infer_signature(EXAMPLE, np.array([0.5, 0.5])))  # fmt: skip
    monkeypatch.setenv("CLICKSCORE_TEST_PRIVACY_KEY", KEY)
    (shop.home / "click.ddl").write_text(DDL)
    (shop.home / "features.sql").write_text(FEATURES)
    shop.set(
        click={"schema": str(shop.home / "click.ddl"), "id": "id", "time": "at", "visitor": "visitor"},
        features=str(shop.home / "features.sql"), privacy=PRIVACY,
        model={"uri": "models:/quoting@champion", "registry": registry_uri, "trust": "pickle"},
    )  # fmt: skip
    return shop


def text_of(file: Path) -> str:
    if file.suffix == ".parquet":
        return f"{pq.read_table(file).to_pylist()} {pq.read_metadata(file).to_dict()}"
    return file.read_bytes().decode(errors="replace")


def written(home: Path) -> dict[str, str]:
    """Return every file of the tables and of the checkpoint as text."""
    folders = [folder for folder in home.iterdir() if folder.is_dir() and folder.name != "landing"]
    return {str(file): text_of(file) for folder in folders for file in folder.rglob("*") if file.is_file()}


def executions(spark: SparkSession) -> list[Any]:
    """Return the newest queries that Spark remembers: it forgets old ones."""
    found = spark._jsparkSession.sharedState().statusStore().executionsList()
    return [found.apply(number) for number in range(found.size())]


def plans(spark: SparkSession, after: int) -> list[str]:
    """Return what the event log has of the queries after one: their plans and their observed values."""
    return [f"{each.description()} {each.details()} {each.physicalPlanDescription()} {each.modifiedConfigs()}"
            for each in executions(spark) if each.executionId() > after]  # fmt: skip


def audited(spark: SparkSession, shop: Any) -> tuple[bool, str]:
    seen = StringIO()
    is_green = audit.run(shop.config, lambda: spark, Console(file=seen, width=200), None, None)
    return is_green, seen.getvalue()


def test_stream_keeps_nothing_that_its_rules_forbid(
    spark: SparkSession, private_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, before = private_shop, max((each.executionId() for each in executions(spark)), default=-1)
    planned = StringIO()
    assert app.plan(shop.config, lambda: spark, Console(file=planned, width=200))
    assert "mail: drop, read unchanged by double_price" in planned.getvalue()
    assert "visitor: hash, read by no feature" in planned.getvalue()
    whole = json.dumps(click(9))
    shop.land(
        "a.jsonl", click(1), click(2, visitor=None), click(3, quantity=MAIL), click(4, at=MAIL), click(5, mail=None),
        click(6, quantity=FAILS_FEATURE), click(7, quantity=FAILS_MODEL), {"e-mail": MAIL, "vistor": NAME}, whole[:-9],
        whole[:-1] + f', "mail": "{MAIL}"}}', f"rubbish {MAIL}", [MAIL], json.dumps(MAIL).encode("utf-16"), b"",
    )  # fmt: skip
    seen = [shop.run(spark)]
    scored = Table(str(shop.home / "scored_clicks"))
    spark.sql(f"ALTER TABLE {scored.sql_name} ADD CONSTRAINT few CHECK (quantity < {BREAKS_CONSTRAINT})")
    shop.land("b.jsonl", click(10, quantity=BREAKS_CONSTRAINT), click(11))
    seen += [shop.run(spark)]

    rows = shop.scored
    assert sorted(rows["id"]) == sorted(hashed(f"{NAME}-{number}", KEY.encode()) for number in (1, 11))
    assert set(rows["visitor"]) == {hashed(NAME, KEY.encode())}
    assert set(rows["page_url"]) == {"https://shop.example/shoes?q=red"}
    assert not {"mail", "price"} & set(rows.columns)
    rejected = shop.rejected
    assert len(rejected) == 14
    late = json.loads(rejected.set_index("reason")["raw"]["constraint_violated"])
    early = json.loads(rejected.set_index("reason")["raw"]["invalid_time"])
    assert late["id"] == hashed(f"{NAME}-10", KEY.encode()) and late["quantity"] == BREAKS_CONSTRAINT
    assert early["id"] == hashed(f"{NAME}-4", KEY.encode()) and early["page_url"] == "https://shop.example/shoes?q=red"

    is_green, report = audited(spark, shop)
    assert is_green, report
    with pytest.raises(ConfigError, match="has no whole records that could be scored again"):
        replay.run(shop.config, lambda: spark, Console(file=StringIO()), Selection(), dry_run=True)
    monkeypatch.setenv("CLICKSCORE_TEST_PRIVACY_KEY", NEXT_KEY)
    with pytest.raises(
        WiringError, match=r"the id of privacy\.key is [0-9a-f]{16}, the table has [0-9a-f]{16}"
    ) as other:
        shop.run(spark)
    page = shop.home / "report.html"
    write_report(shop.config, page, {})
    lines = "".join([*seen, report, str(other.value), planned.getvalue()])
    found = {**written(shop.home), "page": page.read_text(), "lines": lines, "plans": "".join(plans(spark, before))}
    assert len(found["plans"]) > len(KEY)
    assert not [(place, secret) for place, text in found.items() for secret in SECRETS if secret in text]


def test_audit_without_raw_records_compares_their_numbers(spark: SparkSession, private_shop: Any) -> None:
    shop = private_shop
    shop.set(privacy={**PRIVACY, "raw": "drop"})
    shop.land("a.jsonl", click(1), click(2, visitor=None), f"rubbish {MAIL}")
    shop.run(spark)
    assert shop.rejected["raw"].tolist() == [None, None]
    assert audited(spark, shop)[0]
    shop.land("b.jsonl", click(3))
    shop.run(spark)
    spark.sql(f"DELETE FROM {Table(str(shop.home / 'scored_clicks')).sql_name} WHERE batch_id = 1")
    is_green, report = audited(spark, shop)
    assert not is_green and "b.jsonl" in report
