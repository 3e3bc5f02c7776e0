"""No value of a field that is dropped or hashed is in what a stream prints, counts or serves, whatever the record."""

import json
from collections import Counter
from datetime import date
from io import StringIO
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from pyspark.sql import Row
from rich.console import Console
from tests.support.protected import (
    CHANGES,
    GOOD,
    SECRET,
    SECRETS,
    contract_in,
    fussy,
    records,
    scorer_of,
    text_of,
    with_price,
)

from clickscore.monitoring.batch_metrics import row_of
from clickscore.monitoring.health import Health
from clickscore.monitoring.metrics import make_registry
from clickscore.monitoring.progress import ProgressLines
from clickscore.monitoring.report import Report
from clickscore.reasons import SCORING_FAILED
from clickscore.report.masking import masked_detail, masked_record
from clickscore.scoring.contract import Contract
from clickscore.scoring.scorer import ClickScorer
from clickscore.stream.batch_counts import BatchCounts
from clickscore.stream.field_counts import FieldCounts
from clickscore.stream.rejected_share import LEAST_RECORDS, RejectLimit, RejectWarning

TODAY = date(2026, 3, 1)
WITHIN = st.sampled_from([None, "user", "context", "misspelt"])
"""Field of the record in which the click stands under a secret key. At the top, a key is a name, and no value."""


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    return contract_in(tmp_path_factory.mktemp("contract"))


@pytest.fixture(scope="module")
def scorer(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> ClickScorer:
    return scorer_of(contract, tmp_path_factory.mktemp("features"), fussy, most=float("inf"))


def counts_of(sample: pa.Array, outcomes: pa.StructArray) -> BatchCounts:
    """Return what a pass over a micro-batch of as many such records as a share needs would have counted."""
    rows = [
        Row(value=record, reason=row["reason"], detail=row["detail"])
        for record, row in zip(sample.to_pylist(), outcomes.to_pylist(maps_as_pydicts="lossy"), strict=True)
        if row["reason"]
    ]
    return BatchCounts(
        read=LEAST_RECORDS + len(rows), duplicates=0, rejected=LEAST_RECORDS + len(rows),
        failed=Counter(row.reason for row in rows)[SCORING_FAILED], newest=None, arrived=None, sources=["a.jsonl"],
        listed=rows, sampled=sample.to_pylist(),
        challenger_failure=next(filter(None, outcomes.field("challenger_detail").to_pylist()), None),
    )  # fmt: skip


def told_about(sample: pa.Array, outcomes: pa.StructArray, click: pa.Schema) -> dict[str, str]:
    """Return all that people and programs are told about a micro-batch, beside its rows."""
    counts, seen = counts_of(sample, outcomes), StringIO()
    done = Report(
        0, counts.read, 0, counts.rejected, 1, 0.5, None, "m", "1", counts.failed, cause=counts.cause,
        example=counts.example, sampled=counts.sampled, by_reason=counts.by_reason,
    )  # fmt: skip
    lines, health = ProgressLines(Console(file=seen, width=200)), Health(300)
    fields = FieldCounts(click, {}, lambda days: None)
    unknown = fields.add(done, TODAY)
    lines.report(done)
    health.report(done)
    lines.warn(RejectWarning(0.1, click, quotes=False).add(done) or "")
    return {
        "console": seen.getvalue(),
        "summary": json.dumps([dict(lines.causes), *fields.of_run()]),
        "error": str(RejectLimit(0.1, click, quotes=False).refusal(counts, 0)),
        "stream_metrics": json.dumps(row_of(done, unknown, 0.1)),
        "endpoint": generate_latest(make_registry(health)).decode(),
        "page": "".join(masked_record(raw) for raw in outcomes.field("_raw").to_pylist() if raw)
        + "".join(masked_detail(detail) for detail in outcomes.field("detail").to_pylist() if detail),
        "rows": text_of(outcomes),
    }  # fmt: skip


@settings(max_examples=60)
@given(changes=CHANGES, price=st.sampled_from([1, 13, 14]),
       within=WITHIN, cut=st.sampled_from([0, 0, 1, 30]))  # fmt: skip
def test_no_value_of_a_protected_field_is_told_to_anybody(
    contract: Contract, scorer: ClickScorer, changes: dict[str, Any], price: float, within: str | None, cut: int
) -> None:
    record = {**with_price(price), **changes}
    record = {within: {SECRET: record}} if within else record
    text = json.dumps(record)
    sample = records(text[: len(text) - cut].encode(), json.dumps(text).encode(), GOOD)
    told = told_about(sample, scorer.score(sample), contract.click)
    assert not [(place, secret) for place, text in told.items() for secret in SECRETS if secret in text], told
