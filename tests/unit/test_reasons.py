import re

from clickscore import reasons


def test_each_reason_has_a_code_of_its_own_in_plain_words() -> None:
    codes = [value for name, value in vars(reasons).items() if name.isupper()]
    assert len(codes) == len(set(codes)) > 0
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", code) for code in codes)
