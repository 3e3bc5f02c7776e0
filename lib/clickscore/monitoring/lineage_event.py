"""What OpenLineage is told of a micro-batch: one run of the job, with what it read, what it wrote, and its model.

The events follow https://openlineage.io/spec/2-0-2/OpenLineage.json. Offsets and
files of a micro-batch, and the version of its model, for which there are no facets, stand in facets of our own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

import attr
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.generated.base import InputDatasetFacet, JobFacet, RunFacet
from openlineage.client.generated.input_statistics_input_dataset import InputStatisticsInputDatasetFacet
from openlineage.client.generated.job_type_job import JobTypeJobFacet
from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet

from clickscore import __version__
from clickscore.monitoring.report import Report
from clickscore.sources.records import BatchInput

PRODUCER = f"https://pypi.org/project/clickscore/{__version__}"
_FACETS = f"{PRODUCER}/lineage.json#/$defs"


@attr.define
class MicroBatchFacet(RunFacet):
    """Facet of a run: the micro-batch, and the registered model that scored it."""

    stream: str
    batch_id: int
    model_name: str
    model_version: str

    @staticmethod
    def _get_schema() -> str:
        return f"{_FACETS}/MicroBatchFacet"


@attr.define
class RangeFacet(InputDatasetFacet):
    """Facet of an input: the part of it that the micro-batch has read."""

    range: dict[str, Any]

    @staticmethod
    def _get_schema() -> str:
        return f"{_FACETS}/RangeFacet"


@dataclass(frozen=True)
class LineageJob:
    """What is the same for all micro-batches of a stream.

    Attributes:
        namespace: of the job.
        name: of the job.
        stream: id of the stream.
        scored: place of the table of scored clicks.
        rejected: place of the table of rejected records.
    """

    namespace: str
    name: str
    stream: str
    scored: str
    rejected: str


def events(job: LineageJob, done: Report, inputs: Sequence[BatchInput], ended: datetime) -> list[RunEvent]:
    """Return the start and the end of the run that a finished micro-batch is.

    The id of the run comes from stream and micro-batch: one that is told a second time, after a crash, is the same run.

    Args:
        job: the stream.
        done: what the micro-batch did.
        inputs: what it has read.
        ended: when it was done, with its zone.
    """
    run_id = str(uuid5(NAMESPACE_URL, f"clickscore:{job.stream}:{done.batch_id}"))
    facets: dict[str, RunFacet] = {
        "clickscore_micro_batch": MicroBatchFacet(job.stream, done.batch_id, done.model_name, done.model_version)
    }
    kind: dict[str, JobFacet] = {
        "jobType": JobTypeJobFacet(processingType="STREAMING", integration="CLICKSCORE", jobType="MICRO_BATCH")
    }
    began = ended - timedelta(seconds=done.seconds)
    common: Mapping[str, Any] = {
        "run": Run(run_id, facets),
        "job": Job(job.namespace, job.name, kind),
        "inputs": [_input(each, done if len(inputs) == 1 else None) for each in inputs],
        "producer": PRODUCER,
    }
    outputs = [_output(job.scored, done.scored), _output(job.rejected, done.rejected)]
    return [
        RunEvent(eventType=RunState.START, eventTime=began.isoformat(), **common),
        RunEvent(eventType=RunState.COMPLETE, eventTime=ended.isoformat(), outputs=outputs, **common),
    ]


def dataset(place: str) -> tuple[str, str]:
    """Return namespace and name of a folder or table, as https://openlineage.io/docs/spec/naming names them.

    Args:
        place: address with a scheme, such as ``s3://bucket/clicks``; or ``file:/clicks``.
    """
    parts = urlsplit(place)
    if parts.scheme in ("", "file"):
        return "file", parts.path
    return f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/") or "/"


def _input(read: BatchInput, done: Report | None) -> InputDataset:
    namespace, name = dataset(read.place) if read.topic is None else (read.place, read.topic)
    facets: dict[str, InputDatasetFacet] = {"clickscore_range": RangeFacet(dict(read.range))}
    if done:
        facets["inputStatistics"] = InputStatisticsInputDatasetFacet(rowCount=done.read)
    return InputDataset(namespace, name, inputFacets=facets)


def _output(place: str, rows: int) -> OutputDataset:
    return OutputDataset(*dataset(place), outputFacets={"outputStatistics": OutputStatisticsOutputDatasetFacet(rows)})
