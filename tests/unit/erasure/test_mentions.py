"""An id is found as a whole word, in whatever way it is written."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickscore.erasure.mentions import Mentions

IDS = {"v1": 0, "al!ce@example.org": 1, "zoë/queen": 2, "a-b": 3, "?!": 4, '"q"': 5}
MENTIONS = Mentions(IDS)


@pytest.mark.parametrize(
    ("record", "number"),
    [
        (b'{"visitor": "v1", "pri', 0),
        (b"v1", 0),
        (b'{"visitor": "v12"}', None),
        (b'{"visitor": "xv1"}', None),
        (b'{"visitor": "v1-2", "other": "a-v1"}', None),
        (b"mail=al!ce@example.org;", 1),
        (b"al!ce@example.organisation", None),
        (b"pal!ce@example.org", None),
        ('{"v": "zoë/queen"'.encode(), 2),
        (b'{"v": "zo\\u00eb/queen"', 2),
        (b"/p?user=zo%C3%AB%2Fqueen", 2),
        ('"v1"'.encode("utf-16-le"), 0),
        (b"\xff\xfe v1 \x80", 0),
        (b"a-b", 3),
        (b"a-b-c", None),
        (b"what?!", 4),
        (b'{"v": "\\"q\\""', 5),
        (b"", None),
        (None, None),
    ],
)
def test_id_is_found_as_a_whole_word(record: bytes | None, number: int | None) -> None:
    assert MENTIONS.find(record) == number


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip() and "\0" not in text))
def test_any_id_is_found_in_json_that_is_cut_off_and_in_an_address(visitor: str) -> None:
    mentions = Mentions({visitor: 7})
    assert mentions.find(json.dumps({"visitor": visitor})[:-1].encode()) == 7
    assert mentions.find(json.dumps({"visitor": visitor}, ensure_ascii=False)[:-1].encode()) == 7
    assert mentions.find(f"/p?user={quote(visitor, safe='')}&b=1".encode()) == 7
