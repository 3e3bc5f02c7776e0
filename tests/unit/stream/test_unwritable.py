from collections.abc import Callable

import pytest

from clickscore.spark_errors import Refusal
from clickscore.stream.unwritable import TooManyTrialsError, find_refused

REFUSED = Refusal("it is too long", is_constraint=False)


def refusing(*bad: int) -> Callable[[int, int], Refusal | None]:
    return lambda first, last: REFUSED if any(first <= row <= last for row in bad) else None


@pytest.mark.parametrize("bad", [(), (0,), (7,), (99_999,), (3, 4), (0, 500, 99_999)])
def test_rows_that_cannot_be_written_are_found_wherever_they_are(bad: tuple[int, ...]) -> None:
    assert find_refused(range(100_000), refusing(*bad)) == dict.fromkeys(bad, REFUSED)


def test_numbers_of_rows_may_have_gaps() -> None:
    rows = [3, 8, 8_589_934_592, 8_589_934_599]
    assert find_refused(rows, refusing(8, 8_589_934_599)) == {8: REFUSED, 8_589_934_599: REFUSED}


def test_nothing_is_asked_where_there_are_no_rows() -> None:
    assert find_refused([], refusing(1)) == {}


def test_rows_are_looked_for_only_so_often() -> None:
    with pytest.raises(TooManyTrialsError) as caught:
        find_refused(range(100), refusing(*range(100)), most_trials=20)
    assert 0 < len(caught.value.found) < 20
