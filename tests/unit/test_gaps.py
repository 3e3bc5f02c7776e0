"""What is lost between the offsets that were read and those that can be read."""

from clickscore.gaps import AGED_OUT, DELETED, RECREATED, TRUNCATED, Topics, find_gaps

PARTITION = ("clicks", 0)


def topics(earliest: int, latest: int, id: str = "a") -> Topics:
    return Topics({"clicks": id}, {PARTITION: earliest}, {PARTITION: latest})


def ranges(start: int, held: Topics, end: int | None = None) -> list[tuple[int, int | None, str]]:
    gaps = find_gaps({PARTITION: start}, held, {"clicks": "a"}, None if end is None else {PARTITION: end})
    return [(gap.first, gap.last, gap.reason) for gap in gaps]


def test_nothing_is_lost_when_the_next_offset_is_still_there() -> None:
    assert ranges(10, topics(0, 20)) == []
    assert ranges(10, topics(10, 10)) == []


def test_offsets_below_the_oldest_have_aged_out() -> None:
    assert ranges(10, topics(25, 30)) == [(10, 24, AGED_OUT)]


def test_topic_that_is_empty_after_ageing_has_lost_all_up_to_its_end() -> None:
    assert ranges(10, topics(30, 30)) == [(10, 29, AGED_OUT)]


def test_micro_batch_loses_no_more_than_it_was_to_read() -> None:
    assert ranges(10, topics(25, 30), end=20) == [(10, 19, AGED_OUT)]


def test_topic_with_another_id_lost_its_rest_and_hides_its_beginning() -> None:
    assert ranges(10, topics(0, 15, id="b")) == [(10, None, RECREATED), (0, 9, RECREATED)]
    assert ranges(10, topics(0, 3, id="b")) == [(10, None, RECREATED), (0, 2, RECREATED)]
    assert ranges(10, topics(0, 0, id="b")) == [(10, None, RECREATED)]


def test_log_that_ends_before_the_next_offset_was_cut_off() -> None:
    assert ranges(10, topics(0, 4)) == [(0, 3, TRUNCATED)]
    assert ranges(10, topics(0, 0)) == [(0, None, TRUNCATED)]


def test_partition_that_is_not_there_was_deleted() -> None:
    assert ranges(10, Topics({}, {}, {})) == [(10, None, DELETED)]


def test_topic_that_nobody_knew_before_is_judged_by_its_offsets() -> None:
    assert find_gaps({PARTITION: 3}, topics(0, 5), {}) == []


def test_gap_says_where_what_and_why() -> None:
    [gap] = find_gaps({PARTITION: 10}, topics(25, 30), {})
    assert str(gap) == (
        "clicks-0: offsets 10 to 24 are lost (aged_out): the next offset should be 10, "
        "the oldest that is still there is 25"
    )
