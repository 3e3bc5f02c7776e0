"""The bytes in front of a record: which schema they name, and how often it is made."""

import pytest

from clickscore.scoring import framing
from clickscore.scoring.framing import BySchema, message_indexes
from clickscore.scoring.wire import UndecodableError


def test_reader_is_made_once_for_each_schema() -> None:
    made: list[int] = []
    readers = BySchema("malformed_avro", lambda schema: made.append(schema) or f"reader {schema}")
    found = [readers.reader_of(record) for record in (b"\0\0\0\0\x05abc", b"\0\0\0\x01\0", b"\0\0\0\0\x05")]
    assert (found, made) == (["reader 5", "reader 256", "reader 5"], [5, 256])


@pytest.mark.parametrize("record", [b"\0\0\0\0", b"\x01\0\0\0\x05abc", b'{"id": 1}'])
def test_record_that_names_no_schema_is_refused(record: bytes) -> None:
    with pytest.raises(UndecodableError, match="expected a zero and four bytes with the id of a schema") as refused:
        BySchema("malformed_avro", str).reader_of(record)
    assert refused.value.reason == "malformed_avro"


def test_unknown_schema_is_asked_for_again_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def make(schema: int) -> str:
        asked.append(schema)
        if len(asked) < 3:
            raise UndecodableError("unknown_schema", "not there")
        return "reader"

    readers, record = BySchema("malformed_avro", make), b"\0\0\0\0\x05"
    for _ in range(3):
        with pytest.raises(UndecodableError, match="not there"):
            readers.reader_of(record)
    assert asked == [5]
    monkeypatch.setattr(framing, "UNKNOWN_FOR_S", 0.0)
    readers = BySchema("malformed_avro", make)
    with pytest.raises(UndecodableError):
        readers.reader_of(record)
    assert readers.reader_of(record) == "reader"


def test_failure_of_another_kind_is_not_remembered() -> None:
    answers = iter([ConnectionError(), "reader"])

    def make(_: int) -> object:
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    readers = BySchema("malformed_avro", make)
    with pytest.raises(ConnectionError):
        readers.reader_of(b"\0\0\0\0\x05")
    assert readers.reader_of(b"\0\0\0\0\x05") == "reader"


def test_memory_for_unknown_schemas_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MOST_UNKNOWN", 2)
    asked: list[int] = []

    def make(schema: int) -> str:
        asked.append(schema)
        raise UndecodableError("unknown_schema", "not there")

    readers = BySchema("malformed_avro", make)
    for schema in (1, 2, 1, 3, 1):
        with pytest.raises(UndecodableError):
            readers.reader_of(b"\0\0\0\0" + bytes([schema]))
    assert asked == [1, 2, 3, 1]


@pytest.mark.parametrize(
    ("indexes", "found"),
    [(b"\0rest", ((0,), 1)), (b"\x02\x04rest", ((2,), 2)), (b"\x04\x02\x00rest", ((1, 0), 3))],
)
def test_numbers_of_a_message_are_read(indexes: bytes, found: tuple[tuple[int, ...], int]) -> None:
    assert message_indexes(indexes, 0) == found


@pytest.mark.parametrize("indexes", [
    b"", b"\x02", b"\x01", b"\xfe\xff\xff\xff\x0f", b"\xff" * 9, b"\x02\x01", b"\x04\0\x01",
])  # fmt: skip
def test_bytes_that_are_no_numbers_of_a_message_are_refused(indexes: bytes) -> None:
    with pytest.raises(UndecodableError, match="expected the indexes of a message"):
        message_indexes(indexes, 0)
