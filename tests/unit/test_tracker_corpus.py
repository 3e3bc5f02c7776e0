"""Records as trackers write them, nested, renamed, as text or in binary formats: what becomes of each."""

import pyarrow as pa
import pytest
from tests.support import tracker_corpus

from clickscore.scoring.parsing import Parser
from clickscore.scoring.record_groups import LEAST_RECORDS

KINDS = sorted(tracker_corpus.kinds())


def test_each_file_of_the_corpus_is_read() -> None:
    files = {tracker_corpus.file_of(kind) for kind in KINDS}
    assert files == {file for file in tracker_corpus.CORPUS.iterdir() if file.suffix in (".jsonl", ".base64")}


@pytest.mark.parametrize("kind", KINDS)
def test_each_record_has_the_outcome_that_its_table_says(kind: str) -> None:
    click, records = tracker_corpus.fields(kind), tracker_corpus.records(kind)
    expected = tracker_corpus.expected(kind)
    assert tracker_corpus.outcomes(Parser(click).parse(pa.array(records, pa.binary()))) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_outcome_is_the_same_among_many_records(kind: str) -> None:
    records = [record for record in tracker_corpus.records(kind) for _ in range(LEAST_RECORDS)]
    found = tracker_corpus.outcomes(Parser(tracker_corpus.fields(kind)).parse(pa.array(records, pa.binary())))
    assert found[::LEAST_RECORDS] == found[LEAST_RECORDS - 1 :: LEAST_RECORDS] == tracker_corpus.expected(kind)
