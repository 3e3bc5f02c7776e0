from datetime import datetime, timezone

import pytest

from clickscore.batch.ranges import (
    Span,
    as_bound,
    as_part,
    as_span,
    as_time,
    check_known_topics,
    check_same_topics,
    cut,
    find_missing,
    packed,
    without,
)  # fmt: skip
from clickscore.errors import SourceError
from clickscore.storage.backfills import Part

ONE, TWO = ("clicks", 0), ("clicks", 1)


def test_bound_is_a_time_or_the_offsets_of_partitions() -> None:
    assert as_bound("--from", None) is None
    assert as_bound("--from", "2026-03-01") == datetime(2026, 3, 1, tzinfo=timezone.utc)
    assert as_bound("--from", '{"clicks": {"0": 5, "1": 7}}') == {ONE: 5, TWO: 7}


NO_OFFSETS = ['{"clicks": {"0": "5"}}', '{"clicks": {"0": null}}', '{"clicks": {"0": 5.5}}', '{"clicks": {"0": true}}',
              '{"clicks": {"0": -1}}']  # fmt: skip


@pytest.mark.parametrize("text", ["yesterday", "{clicks: 5}", '{"clicks": 5}', '{"clicks": {"first": 5}}', *NO_OFFSETS])
def test_bound_that_is_neither_is_refused_with_an_example_of_both(text: str) -> None:
    with pytest.raises(SourceError, match=r"--to: expected a time in ISO 8601, such as .* or offsets as JSON"):
        as_bound("--to", text)


def test_offsets_are_no_bound_of_files() -> None:
    assert as_time("--from", None) is None
    with pytest.raises(SourceError, match="--from: expected a time in ISO 8601, found offsets"):
        as_time("--from", {ONE: 5})


def test_topic_that_was_made_anew_since_the_stream_began_is_refused() -> None:
    check_same_topics({ONE: 500, TWO: 7}, {ONE: 500})
    with pytest.raises(SourceError, match=r"clicks-0: the stream began at offset 500 and is at 300 now, so the topic"):
        check_same_topics({ONE: 500}, {ONE: 300})


def test_topic_that_was_made_anew_since_the_stream_looked_last_is_refused() -> None:
    check_known_topics({"clicks": "a", "gone": "b"}, {"clicks": "a", "new": "c"})
    with pytest.raises(SourceError, match=r"clicks: recreated since the stream read it, .* Start the stream first"):
        check_known_topics({"clicks": "a", "views": "b"}, {"clicks": "z", "views": "b"})


def test_range_is_divided_where_the_stream_began_and_where_it_goes_on() -> None:
    found = find_missing({ONE: 2, TWO: 0}, {ONE: 30, TWO: 9}, start={ONE: 10}, reached={ONE: 20, TWO: 9})
    assert found.missing == [Span(ONE, 2, 10)]
    assert found.read == 10 + 9  # of a partition that has come since, the stream reads all
    assert found.ahead == [Span(ONE, 20, 30)]


def test_range_before_the_stream_is_missing_as_a_whole_and_one_behind_its_begin_is_not() -> None:
    start, reached = {ONE: 10}, {ONE: 20}
    assert find_missing({ONE: 3}, {ONE: 6}, start, reached) == ([Span(ONE, 3, 6)], 0, [])
    assert find_missing({ONE: 12}, {ONE: 15}, start, reached) == ([], 3, [])
    assert find_missing({ONE: 6}, {ONE: 3}, start, reached) == ([], 0, [])


def test_what_an_earlier_backfill_has_planned_is_taken_out() -> None:
    spans = [Span(ONE, 0, 10), Span(TWO, 0, 10)]
    assert without(spans, [Span(ONE, 3, 5), Span(ONE, 8, 12), Span(TWO, 0, 10)]) == [Span(ONE, 0, 3), Span(ONE, 5, 8)]
    assert without(spans, [Span(ONE, 10, 20)]) == spans


def test_chunks_have_at_most_the_size_of_a_micro_batch_and_a_larger_file_stands_alone() -> None:
    assert list(packed([("a", 3), ("b", 3), ("c", 9), ("d", 1)], 6)) == [["a", "b"], ["c"], ["d"]]
    assert list(packed([("a", 0), ("b", 0), ("c", 0)], 6, most_items=2)) == [["a", "b"], ["c"]]
    assert list(packed([], 6)) == []


def test_offsets_are_cut_into_pieces_with_their_sizes() -> None:
    assert list(cut([Span(ONE, 5, 12)], 3)) == [(Span(ONE, 5, 8), 3), (Span(ONE, 8, 11), 3), (Span(ONE, 11, 12), 1)]


def test_offsets_in_a_plan_are_those_that_are_read() -> None:
    span = Span(("a-b", 3), 5, 12)
    assert as_part(span) == Part("a-b-3", first_offset=5, last_offset=11)
    assert as_span(as_part(span)) == span
