"""Ids that come twice: hashes in slices of time, in the state and in the memory of a worker."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql.streaming.tws_tester import TwsTester

from clickscore.stream import seen_ids
from clickscore.stream.seen_ids import INDEX, Hashes, SeenIds, first_sightings

WINDOW_MS = 160_000
SLICE_MS = 10_000
BUCKET = 3


def hashes(*numbers: int) -> Hashes:
    return np.array([[number, number] for number in numbers], np.uint64).reshape(-1, 2)


def test_first_of_equal_ids_is_new() -> None:
    assert first_sightings(hashes(5, 3, 5, 3, 1), []).tolist() == [True, True, False, False, True]


def test_id_seen_in_any_slice_is_not_new() -> None:
    assert first_sightings(hashes(5, 3, 9), [hashes(1, 5), hashes(), hashes(9)]).tolist() == [False, True, False]


def test_ids_that_agree_in_one_hash_only_are_different() -> None:
    here, before = np.array([[7, 1], [7, 2]], np.uint64), np.array([[7, 3]], np.uint64)
    assert first_sightings(here, [before]).tolist() == [True, True]


def test_record_without_an_id_is_never_new_and_never_a_duplicate() -> None:
    assert first_sightings(hashes(0, 0, 4), []).tolist() == [False, False, True]


@pytest.fixture(autouse=True)
def _a_new_worker() -> Iterator[None]:
    seen_ids._held.clear()
    yield
    seen_ids._held.clear()


@pytest.fixture
def state() -> TwsTester:
    """A bucket, with Spark's own tester of such processors around it."""
    return TwsTester(SeenIds(WINDOW_MS))


def duplicates(state: TwsTester, now: int, *ids: int, bucket: int = BUCKET) -> list[bool]:
    """Bring ids to a bucket; return which of them are duplicates."""
    row = {"hashes": hashes(*ids).tobytes(), "records": b"", "first": "file:0", "now": now}
    marked = state.testInPandas(bucket, pd.DataFrame([row]))
    return np.frombuffer(marked["is_duplicate"][0], bool).tolist()


def slices(state: TwsTester) -> dict[int, Any]:
    return {begin: blob for (begin,), (blob,) in state.peekMapState("slices", BUCKET).items()}


def test_id_is_a_duplicate_in_its_slice_and_in_later_ones_until_the_window_is_over(state: TwsTester) -> None:
    assert duplicates(state, 0, 1, 2, 1) == [False, False, True]
    assert duplicates(state, 9_999, 2, 3) == [True, False]
    assert duplicates(state, WINDOW_MS + SLICE_MS - 1, 1, 3, 4) == [True, True, False]
    assert duplicates(state, WINDOW_MS + SLICE_MS, 1, 4) == [False, True]


def test_slice_that_has_expired_leaves_the_state_and_the_worker(state: TwsTester) -> None:
    duplicates(state, 0, 1)
    duplicates(state, 20_000, 2)
    assert sorted(slices(state)) == [INDEX, 0, 20_000]
    duplicates(state, WINDOW_MS + SLICE_MS, 3)
    assert sorted(slices(state)) == [INDEX, 20_000, WINDOW_MS + SLICE_MS]
    assert sorted(begin for _, begin in seen_ids._held) == [20_000, WINDOW_MS + SLICE_MS]


def test_worker_reads_a_slice_once_and_again_when_another_has_written_it(state: TwsTester) -> None:
    duplicates(state, 0, 1)
    mine = dict(seen_ids._held)
    state.processor._slices.getValue = _counted(state.processor._slices.getValue, read := [])
    assert duplicates(state, 20_000, 1) == [True]
    assert read == [INDEX]
    seen_ids._held.clear()  # another worker, which holds nothing
    assert duplicates(state, 0, 2) == [False]
    assert read == [INDEX, INDEX, 0]
    seen_ids._held.clear()
    seen_ids._held.update(mine)
    assert duplicates(state, 1, 2) == [True]
    assert read == [INDEX, INDEX, 0, INDEX, 0]


def test_what_a_failed_micro_batch_has_written_counts_no_more(state: TwsTester) -> None:
    duplicates(state, 0, 1)
    committed = state.peekMapState("slices", BUCKET).copy()
    duplicates(state, 1, 2)
    state.deleteState("slices", BUCKET)
    state.updateMapState("slices", BUCKET, committed)
    assert duplicates(state, 1, 1, 2) == [True, False]


def test_two_streams_of_a_session_share_no_ids(state: TwsTester) -> None:
    other = TwsTester(SeenIds(WINDOW_MS))
    assert duplicates(state, 0, 1) == [False]
    assert duplicates(other, 0, 2, 1) == [False, False]
    assert duplicates(state, 0, 2, 1) == [False, True]


def test_state_without_an_index_is_that_of_an_earlier_release(state: TwsTester) -> None:
    earlier = {(0,): (hashes(1).tobytes(),), (10_000,): (hashes(2, 3).tobytes(),)}
    state.updateMapState("slices", BUCKET, earlier)
    assert duplicates(state, 10_000, 1, 2, 3, 4) == [True, True, True, False]
    assert duplicates(state, WINDOW_MS + SLICE_MS, 1, 2, 4) == [False, True, True]
    assert sorted(slices(state)) == [INDEX, 10_000, WINDOW_MS + SLICE_MS]


def test_index_is_written_once_for_a_bucket_without_new_ids(state: TwsTester) -> None:
    duplicates(state, 0, 0)  # a record without an id
    assert slices(state) == {INDEX: b""}
    state.processor._slices.updateValue = _counted(state.processor._slices.updateValue, written := [])
    duplicates(state, 0, 0)
    assert written == []
    duplicates(state, 0, 1)
    assert written == [0, INDEX]
    duplicates(state, 1, 1)
    assert written == [0, INDEX]


def test_index_of_an_earlier_state_is_written_even_if_nothing_is_new(state: TwsTester) -> None:
    state.updateMapState("slices", BUCKET, {(0,): (hashes(1).tobytes(),)})
    assert duplicates(state, 0, 1) == [True]
    state.processor._slices.getValue = _counted(state.processor._slices.getValue, read := [])
    assert duplicates(state, 0, 1) == [True]
    assert read == [INDEX]


def test_clock_that_goes_back_forgets_nothing(state: TwsTester) -> None:
    duplicates(state, 50_000, 1)
    assert duplicates(state, 20_000, 1, 2) == [True, False]
    assert duplicates(state, 50_001, 1, 2) == [True, True]


def test_bucket_lets_go_of_its_own_slices_only(state: TwsTester) -> None:
    duplicates(state, 0, 1)
    duplicates(state, 0, 2, bucket=4)
    duplicates(state, WINDOW_MS + SLICE_MS, 3)
    assert sorted(seen_ids._held) == [(BUCKET, WINDOW_MS + SLICE_MS), (4, 0)]


def test_worker_holds_no_more_than_it_may(state: TwsTester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_ids, "MOST_HELD_BYTES", 3 * hashes(1).nbytes)
    duplicates(state, 0, 1, 2)
    assert duplicates(state, 20_000, 3, 4) == [False, False]
    assert list(seen_ids._held) == [(BUCKET, 0)]
    assert duplicates(state, 20_001, 1, 3, 5) == [True, True, False]
    assert duplicates(state, 0, 6, 7) == [False, False]  # too many for the slice that was held
    assert list(seen_ids._held) == []
    assert duplicates(state, WINDOW_MS + SLICE_MS, 1, 3) == [False, True]
    assert list(seen_ids._held) == [(BUCKET, 20_000)]


def _counted(call: Any, keys: list[int]) -> Any:
    def counting(key: tuple[int], *value: Any) -> Any:
        keys.append(key[0])
        return call(key, *value)

    return counting
