import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clickscore.registry.version import ModelVersion
from clickscore.scoring.histograms import packed
from clickscore.scoring.models import BOOSTER
from clickscore.sources.unreadable_files import GONE, UnreadableFileError
from clickscore.stream.batch_counts import BatchCounts
from clickscore.stream.batch_report import Phases, report_of

COUNTED: dict[str, Any] = {"read": 10, "duplicates": 2, "rejected": 3, "failed": 1, "newest": 5, "arrived": None,
                           "sources": ["f"], "listed": [], "reasons": {"tombstone": 3}}  # fmt: skip


def version(number: str) -> ModelVersion:
    return ModelVersion("shop", number, "run", "d" * 64, pa.schema([]), Path(), BOOSTER)


def test_phases_follow_each_other_and_make_up_the_whole() -> None:
    phases = Phases()
    time.sleep(0.02)
    phases.end("score")
    phases.end("reject")
    assert phases.seconds["score"] >= 0.02 > phases.seconds["reject"]
    assert sum(phases.seconds.values()) == pytest.approx(phases.total_s, abs=0.01)


def test_files_that_were_rejected_as_a_whole_are_records_of_the_report() -> None:
    counts = BatchCounts.of({**COUNTED, "files": [UnreadableFileError(0, "g", GONE)]})
    report = report_of(0, counts, version("1"), None, Phases(), has_duplicates=True)
    assert (report.read, report.scored, report.rejected, report.duplicates, report.sources) == (11, 5, 4, 2, 2)
    assert report.by_reason == {"tombstone": 3, "unreadable_file": 1}


def test_counts_of_all_chunks_are_those_of_the_micro_batch() -> None:
    chunks = [packed(np.array([1, 2, 0])), packed(np.array([0, 5, 1]))]
    report = report_of(0, BatchCounts.of({**COUNTED, "counts": chunks}), version("1"), None, Phases(), False)
    assert report.binned == (1, 7, 1)
    assert report_of(0, BatchCounts.of({**COUNTED, "counts": []}), version("1"), None, Phases(), False).binned is None


def test_challenger_is_named_where_it_was_asked_about_a_click() -> None:
    for challenged, named in ((0, None), (4, "2")):
        counts = BatchCounts.of({**COUNTED, "challenged": challenged})
        report = report_of(0, counts, version("1"), version("2"), Phases(), has_duplicates=False)
        assert (report.challenger_version, report.duplicates) == (named, None)
