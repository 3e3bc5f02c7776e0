import pytest

from clickscore.service.body import NDJSON, RefusedError, records_of


@pytest.mark.parametrize(("body", "records"), [
    (b'{"a": 1}', [b'{"a": 1}']),
    (b' {"a": 1}\n', [b' {"a": 1}\n']),
    (b"\xff", [b"\xff"]),
    (b"not JSON", [b"not JSON"]),
])  # fmt: skip
def test_body_that_is_no_list_is_one_record_as_it_came(body: bytes, records: list[bytes]) -> None:
    assert records_of(body, "application/json") == (records, False)


def test_records_of_a_list_keep_their_bytes() -> None:
    body = b'[{"a": 1.50, "b":"\\u00e4"}, 17 ,null,\n["x"]]'
    assert records_of(body, None) == ([b'{"a": 1.50, "b":"\\u00e4"}', b"17", b"null", b'["x"]'], True)
    assert records_of(b"[]", None) == ([], True)
    assert records_of(b'["\xff", 1]', None) == ([b'"\xff"', b"1"], True)


def test_lines_are_records_and_blank_ones_are_not() -> None:
    assert records_of(b'{"a": 1}\r\n\n  \n{"b', f"{NDJSON}; charset=utf-8") == ([b'{"a": 1}\r', b'{"b'], True)


@pytest.mark.parametrize(("body", "content_type", "status", "message"), [
    (b'[{"a": 1}', None, 400, "the body is not a JSON array: .*Send one record per line as application/x-ndjson"),
    (b"[" * 100_000, None, 400, "the body is not a JSON array"),
    (b" \n", None, 400, "the body is empty"),
    (b"", NDJSON, 400, "the body is empty"),
    (b"{}", "text/xml; charset=utf-8", 415, "expected Content-Type: application/json or .*, found text/xml"),
])  # fmt: skip
def test_what_cannot_be_split_is_refused(body: bytes, content_type: str | None, status: int, message: str) -> None:
    with pytest.raises(RefusedError, match=message) as caught:
        records_of(body, content_type)
    assert caught.value.status == status
