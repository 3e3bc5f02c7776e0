import numpy as np
import pyarrow as pa
import pytest

from clickscore.scoring.sampling import is_sampled

VISITORS = pa.array([f"v{number}" for number in range(20_000)])


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_share_of_the_visitors_is_sampled(share: float) -> None:
    assert is_sampled(VISITORS, share).mean() == pytest.approx(share, rel=0.15)


def test_sample_is_the_same_in_any_company_and_grows_with_the_share() -> None:
    tenth = is_sampled(VISITORS, 0.1)
    again = is_sampled(pa.array(VISITORS.to_pylist()[::-1] * 2), 0.1)
    assert again.tolist() == tenth.tolist()[::-1] * 2
    assert not (tenth & ~is_sampled(VISITORS, 0.2)).any()


def test_sample_does_not_change_with_a_library() -> None:
    assert np.flatnonzero(is_sampled(VISITORS.slice(0, 30), 0.1)).tolist() == [3, 8, 14, 19, 29]


def test_all_or_none_are_sampled_at_the_ends_and_nobody_is_without_an_id() -> None:
    visitors = pa.array(["a", None, "b"])
    assert is_sampled(visitors, 1.0).tolist() == [True, False, True]
    assert is_sampled(visitors, 0.0).tolist() == [False, False, False]


def test_number_is_hashed_as_its_text() -> None:
    assert is_sampled(pa.array(range(500)), 0.3).tolist() == is_sampled(pa.array(map(str, range(500))), 0.3).tolist()
