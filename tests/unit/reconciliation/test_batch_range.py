import pytest

from clickscore.errors import CheckpointError
from clickscore.reconciliation.batch_range import Range, find_range
from clickscore.storage.checkpoint import Checkpoint
from clickscore.storage.offset_log import Planned

LOG = {batch: Planned(1_000 * batch, {"logOffset": batch}) for batch in range(5, 10)}
DONE = Checkpoint("checkpoint", "stream", 9, 9)


def test_range_is_all_that_is_done_unless_told() -> None:
    batches = find_range(DONE, LOG, None, None)
    assert (batches.first, batches.last, batches.floor) == (0, 9, 5)
    assert batches.begin("start") == "start"
    batches = find_range(DONE, LOG, 7, 8)
    assert (batches.first, batches.last, batches.floor) == (7, 8, 7)
    assert batches.begin("start") == {"logOffset": 6}
    assert sorted(batches.log) == [6, 7, 8]


@pytest.mark.parametrize(("first", "last"), [(10, None), (None, 10), (8, 7), (-1, 9)])
def test_range_that_is_not_there_is_refused(first: int | None, last: int | None) -> None:
    with pytest.raises(CheckpointError, match="says that 0 to 9 are done"):
        find_range(DONE, LOG, first, last)


@pytest.mark.parametrize(("first", "last", "earliest"), [(5, 9, 0), (0, 4, 0), (7, 9, 8)])
def test_range_that_is_forgotten_is_refused(first: int, last: int, earliest: int) -> None:
    with pytest.raises(CheckpointError, match=f"choose them from {max(6, earliest)} to 9"):
        find_range(DONE, LOG, first, last, earliest)


def test_checkpoint_without_plans_says_how_to_get_some() -> None:
    with pytest.raises(CheckpointError, match="Restore the folder offsets of the checkpoint"):
        find_range(DONE, {}, None, None)


def test_range_without_any_plan_begins_nowhere() -> None:
    assert Range(3, 5, {}).floor == 5
