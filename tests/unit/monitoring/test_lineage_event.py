import json
import subprocess
import sys
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from openlineage.client.serde import Serde

from clickscore.monitoring.lineage_event import LineageJob, dataset, events
from clickscore.monitoring.report import Report
from clickscore.sources.records import BatchInput

JOB = LineageJob("shop", "score", "s-1", "file:/lake/scored_clicks", "s3a://lake/rejected_clicks")
DONE = Report(7, 12, 9, 3, 2, 1.5, None, "click_propensity", "4")
ENDED = datetime(2026, 3, 1, 12, 0, 2, tzinfo=timezone.utc)
OFFSETS = BatchInput("kafka://broker:9092", {"offsets": {"0": [5, 16]}}, "clicks")
FACETS = {"type": "object", "additionalProperties": {"type": "object", "required": ["_producer", "_schemaURL"]}}
DATASETS = {"type": "array", "items": {
    "type": "object", "required": ["namespace", "name"], "properties": {"inputFacets": FACETS, "outputFacets": FACETS},
}}  # fmt: skip
EVENT = {
    "type": "object", "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {"type": "string", "format": "uri"},
        "run": {"type": "object", "required": ["runId"], "properties": {"facets": FACETS}},
        "job": {"type": "object", "required": ["namespace", "name"], "properties": {"facets": FACETS}},
        "inputs": DATASETS, "outputs": DATASETS,
    },
}  # fmt: skip
"""What the specification asks of a RunEvent: https://openlineage.io/spec/2-0-2/OpenLineage.json."""


def told(*inputs: BatchInput, done: Report = DONE) -> list[dict[str, Any]]:
    return [json.loads(Serde.to_json(event)) for event in events(JOB, done, inputs, ENDED)]


def test_micro_batch_is_a_run_that_began_and_ended() -> None:
    began, ended = told(OFFSETS)
    assert (began["eventType"], began["eventTime"]) == ("START", "2026-03-01T12:00:00.500000+00:00")
    assert (ended["eventType"], ended["eventTime"]) == ("COMPLETE", "2026-03-01T12:00:02+00:00")
    for event in (began, ended):
        jsonschema.validate(event, EVENT)
        assert (event["job"]["namespace"], event["job"]["name"]) == ("shop", "score")
        assert event["job"]["facets"]["jobType"]["processingType"] == "STREAMING"
        facet = event["run"]["facets"]["clickscore_micro_batch"]
        assert (facet["stream"], facet["batch_id"]) == ("s-1", 7)
        assert (facet["model_name"], facet["model_version"]) == ("click_propensity", "4")


def test_topic_has_its_offsets_and_tables_have_their_rows() -> None:
    _, ended = told(OFFSETS)
    [topic] = ended["inputs"]
    assert (topic["namespace"], topic["name"]) == ("kafka://broker:9092", "clicks")
    assert topic["inputFacets"]["clickscore_range"]["range"] == {"offsets": {"0": [5, 16]}}
    assert topic["inputFacets"]["inputStatistics"]["rowCount"] == 12
    scored, rejected = ended["outputs"]
    assert (scored["namespace"], scored["name"]) == ("file", "/lake/scored_clicks")
    assert (rejected["namespace"], rejected["name"]) == ("s3a://lake", "rejected_clicks")
    assert [each["outputFacets"]["outputStatistics"]["rowCount"] for each in (scored, rejected)] == [9, 3]


def test_records_are_not_counted_for_one_topic_of_several() -> None:
    _, ended = told(OFFSETS, BatchInput("kafka://broker:9092", {"offsets": {"0": [0, 1]}}, "more"))
    assert [each["name"] for each in ended["inputs"]] == ["clicks", "more"]
    assert not any("inputStatistics" in each["inputFacets"] for each in ended["inputs"])


def test_same_micro_batch_is_the_same_run_and_another_one_is_another() -> None:
    runs = [told(done=done)[0]["run"]["runId"] for done in (DONE, DONE, Report(8, 0, 0, 0, 0, 0.1, None, "m", "1"))]
    assert runs[0] == runs[1] != runs[2]
    assert UUID(runs[0])


@pytest.mark.parametrize(("place", "names"), [
    ("file:/lake/clicks", ("file", "/lake/clicks")),
    ("file:///lake/clicks", ("file", "/lake/clicks")),
    ("s3://bucket/a/b", ("s3://bucket", "a/b")),
    ("abfss://box@account.dfs.core.windows.net/a", ("abfss://box@account.dfs.core.windows.net", "a")),
    ("gs://bucket", ("gs://bucket", "/")),
])  # fmt: skip
def test_place_has_a_namespace_and_a_name(place: str, names: tuple[str, str]) -> None:
    assert dataset(place) == names


def test_client_is_not_loaded_for_a_stream_without_lineage() -> None:
    code = "import sys, clickscore.stream.app; sys.exit('openlineage' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
