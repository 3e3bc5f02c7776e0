"""Values are read from the same place of many records at once, and none from beyond the end of one."""

import numpy as np
import pytest
from tests.support.wire import avro_bytes

from clickscore.scoring.record_cursor import Cursor, Ints


def cursor_over(*records: bytes) -> tuple[Cursor, Ints]:
    ends = np.cumsum([len(record) for record in records]).astype(np.int64)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    return Cursor(np.frombuffer(b"".join(records), np.uint8), starts, ends), np.arange(len(records))


def test_numbers_of_one_to_ten_bytes_are_read() -> None:
    numbers = [0, -1, 63, -64, 64, 8_191, 8_192, -(2**31), 2**40, -(2**61), 2**62 - 1, 2**62, 2**63 - 1, -(2**63)]
    cursor, rows = cursor_over(*[avro_bytes("long", number) for number in numbers])
    assert cursor.longs(rows).tolist() == numbers
    assert not cursor.is_bad.any()
    assert cursor.at.tolist() == cursor.ends.tolist()


@pytest.mark.parametrize("record", [b"\xff" * 9 + b"\x02", b"\xff" * 30, b"", b"\x80"])
def test_number_that_is_longer_than_its_record_or_64_bits_is_bad(record: bytes) -> None:
    cursor, rows = cursor_over(b"\x02", record, b"\x04")
    found = cursor.longs(rows)
    assert cursor.is_bad.tolist() == [False, True, False]
    assert (found[0], found[2]) == (1, 2)


def test_value_of_a_fixed_size_does_not_reach_into_the_next_record() -> None:
    cursor, rows = cursor_over(avro_bytes("double", 8.25), b"\0\0", avro_bytes("double", -1.0))
    found = cursor.fixed(rows, 8, "<f8")
    assert (found[0], found[2]) == (8.25, -1.0)
    assert cursor.is_bad.tolist() == [False, True, False]


def test_texts_are_noted_where_they_stand() -> None:
    cursor, rows = cursor_over(avro_bytes("string", "abc"), b"\x06a", b"\x05abc", avro_bytes("string", ""))
    texts = cursor.texts(rows, cursor.longs(rows))
    assert (texts.starts.tolist(), texts.lengths.tolist()) == ([1, 5, 7, 11], [3, 1, 0, 0])
    assert cursor.is_bad.tolist() == [False, True, True, False]


def test_only_some_records_are_read() -> None:
    cursor, _ = cursor_over(b"\x02\x04", b"\x06\x08", b"\x0a\x0c")
    assert cursor.longs(np.array([0, 2])).tolist() == [1, 5]
    assert cursor.longs(np.array([0, 1, 2])).tolist() == [2, 3, 6]


def test_number_without_a_sign_is_read_bit_by_bit() -> None:
    cursor, rows = cursor_over(b"\x03", b"\xff" * 9 + b"\x01", b"\x80\x01")
    assert cursor.numbers(rows).tolist() == [3, 2**64 - 1, 128]
    assert not cursor.is_bad.any()


def test_text_of_a_length_that_no_record_has_is_bad() -> None:
    cursor, rows = cursor_over(b"ab", b"cd")
    assert cursor.texts(rows, np.array([2**63 - 1, 2])).lengths.tolist() == [2, 2]
    assert cursor.is_bad.tolist() == [True, False]
