"""What is lost between the offsets that were read and those that can be read."""

from clickscore.sources.gaps import AGED_OUT, DELETED, RECREATED, TRUNCATED, Gap, Topics, describe_loss, find_gaps

PARTITION = ("clicks", 0)


def topics(earliest: int, latest: int, id: str = "a") -> Topics:
    return Topics({"clicks": id}, {PARTITION: earliest}, {PARTITION: latest})


Ranges = list[tuple[int, int | None, str]]


def ranges(start: int, held: Topics, planned: int | None = None, done: bool = False) -> Ranges:
    end = {} if planned is None else {PARTITION: planned}
    gaps = find_gaps({PARTITION: start}, held, {"clicks": "a"}, end, done)
    return [(gap.first, gap.last, gap.reason) for gap in gaps]


def test_nothing_is_lost_when_the_next_offset_is_still_there() -> None:
    assert ranges(10, topics(0, 20)) == []
    assert ranges(10, topics(10, 10)) == []


def test_offsets_below_the_oldest_have_aged_out() -> None:
    assert ranges(10, topics(25, 30)) == [(10, 24, AGED_OUT)]


def test_topic_that_is_empty_after_ageing_has_lost_all_up_to_its_end() -> None:
    assert ranges(10, topics(30, 30)) == [(10, 29, AGED_OUT)]


def test_micro_batch_loses_no_more_than_it_was_to_read() -> None:
    assert ranges(10, topics(25, 30), planned=20, done=True) == [(10, 19, AGED_OUT)]
    assert ranges(10, topics(25, 30), planned=10, done=True) == []
    assert ranges(10, topics(25, 30), planned=20) == [(10, 24, AGED_OUT)]


def test_topic_with_another_id_lost_its_rest_and_hides_its_beginning() -> None:
    assert ranges(10, topics(0, 15, id="b")) == [(10, None, RECREATED), (0, 9, RECREATED)]
    assert ranges(10, topics(0, 3, id="b")) == [(10, None, RECREATED), (0, 2, RECREATED)]
    assert ranges(10, topics(0, 0, id="b")) == [(10, None, RECREATED)]


def test_log_that_ends_before_the_next_offset_was_cut_off() -> None:
    assert ranges(10, topics(0, 4)) == [(0, 3, TRUNCATED)]
    assert ranges(10, topics(0, 0)) == [(0, None, TRUNCATED)]


def test_cut_that_a_micro_batch_went_over_is_found_after_the_log_has_grown() -> None:
    assert ranges(10, topics(0, 1000), planned=4, done=True) == [(0, 3, TRUNCATED)]


def test_cut_below_what_an_interrupted_micro_batch_had_planned_is_lost() -> None:
    assert ranges(10, topics(0, 15), planned=20) == [(15, 19, TRUNCATED)]
    assert ranges(10, topics(0, 15), planned=20, done=True) == [(15, 19, TRUNCATED)]
    assert ranges(10, topics(0, 25), planned=20) == []


def test_partition_that_is_not_there_was_deleted() -> None:
    [gap] = find_gaps({PARTITION: 10}, Topics({}, {}, {}), {}, {}, is_done=False)
    assert (gap.first, gap.last, gap.reason, gap.detail) == (10, None, DELETED, "the topic no longer exists")


def test_topic_that_the_configuration_no_longer_names_is_told_apart_from_a_deleted_one() -> None:
    [gap] = find_gaps({PARTITION: 10}, Topics({}, {}, {}, frozenset({"clicks"})), {}, {}, is_done=False)
    assert "no longer among the topics of the source; add it again" in gap.detail


def test_topic_that_nobody_knew_before_is_judged_by_its_offsets() -> None:
    assert find_gaps({PARTITION: 3}, topics(0, 5), {}, {}, is_done=False) == []


def test_partition_that_has_come_since_begins_at_zero() -> None:
    held = Topics({}, {PARTITION: 0, ("clicks", 1): 7}, {PARTITION: 5, ("clicks", 1): 9})
    [gap] = find_gaps({PARTITION: 5}, held, {}, {}, is_done=False)
    assert (gap.partition, gap.first, gap.last, gap.reason) == (("clicks", 1), 0, 6, AGED_OUT)
    assert find_gaps({PARTITION: 5}, held, {}, {PARTITION: 5}, is_done=True) == []


def test_stream_that_never_began_misses_nothing() -> None:
    assert find_gaps({}, topics(7, 9), {}, {}, is_done=False) == []


def test_gap_says_where_what_and_why() -> None:
    [gap] = find_gaps({PARTITION: 10}, topics(25, 30), {}, {}, is_done=False)
    assert str(gap) == (
        "clicks-0: offsets 10 to 24 are lost (aged_out): the next offset should be 10, "
        "the oldest available offset is 25"
    )


def test_loss_is_described_with_every_range_and_the_choices() -> None:
    gaps = [Gap(("clicks", 0), 10, 24, "aged_out", "because"), Gap(("clicks", 3), 5, None, "deleted", "gone")]
    message = describe_loss(gaps)
    assert "clicks-0: offsets 10 to 24 are lost (aged_out): because" in message
    assert "clicks-3: offsets 5 to ... are lost (deleted): gone" in message
    assert "--accept-loss" in message
    assert "source_gaps" in message
    assert "retention.ms" in message
