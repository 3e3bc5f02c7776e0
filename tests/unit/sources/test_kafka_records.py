import pytest

from clickscore.sources.kafka_records import MOST_MS, offsets_beyond_time


def printed(offset: int, time_ms: int, header: str = "") -> str:
    return (
        f"ConsumerRecord(topic = my.clicks-1, partition = 3, leaderEpoch = 0, offset = {offset}, CreateTime = {time_ms}"
        f", deliveryCount = null, serialized key size = -1, serialized value size = 4, headers = RecordHeaders("
        f"headers = [{header}], isReadOnly = false), key = null, value = [B@4b85612c)"
    )


@pytest.mark.parametrize("time_ms", [1_795_864_028_742_000_000, MOST_MS + 1, 2**63 - 1, -(2**63), -MOST_MS - 1])
def test_time_that_spark_cannot_hold_is_found(time_ms: int) -> None:
    page = f"[{printed(7, 1_795_864_028_742)}, {printed(8, time_ms)}, {printed(9, -1)}]"
    assert offsets_beyond_time(page) == [8]


@pytest.mark.parametrize("time_ms", [-1, 0, 1_795_864_028_742, 1_795_864_028_742_000, MOST_MS])
def test_time_that_spark_can_hold_is_left_to_it(time_ms: int) -> None:
    assert offsets_beyond_time(printed(8, time_ms)) == []
