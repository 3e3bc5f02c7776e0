"""Records of erased visitors are told by the keyed hash of their visitor, also where no more of them can be read."""

import pyarrow as pa
import pytest

from clickscore.errors import ConfigError
from clickscore.scoring.contract import Contract
from clickscore.scoring.erased_visitors import DETAIL, ErasedVisitors, check_visitor
from clickscore.scoring.privacy_rules import hashed

KEY = b"0123456789abcdef0123456789abcdef"


def erased(*visitors: str) -> ErasedVisitors:
    field = pa.schema([pa.field("visitor", pa.string(), nullable=False), pa.field("id", pa.string())])
    return ErasedVisitors.of(field, "visitor", KEY, frozenset(hashed(each, KEY) for each in visitors))


def test_record_is_of_an_erased_visitor_of_another_one_or_nobody_can_tell() -> None:
    records = pa.array([b'{"visitor": "v1"}', b'{"visitor": "v2"}', b'{"visitor": "v1', b'{"visitor": 1}', None])
    assert erased("v1").are_of(records).to_pylist() == [True, False, None, None, None]


def test_number_of_a_visitor_is_known_by_its_digits() -> None:
    assert erased("7").are_among(pa.array([7, 77, None])).to_pylist() == [True, False, None]


def test_clicks_and_undecoded_records_of_an_erased_visitor_are_refused() -> None:
    records = pa.array([b'{"visitor": "v1"}', b'{"visitor": "v2", "id": 7}', b'{"visitor": "v1", "id": 7}', b"v1"])
    found = erased("v1").refused(records, pa.array(["v1", None, None, None]), [1, 2, 3])
    assert found == {0: ("erased_visitor", DETAIL), 2: ("erased_visitor", DETAIL)}
    assert erased("v3").refused(records, pa.array(["v1", None, None, None]), [1, 2, 3]) == {}
    assert erased("v1").refused(records[:2], pa.array(["v1", "v2"]), []).keys() == {0}


def test_neither_key_nor_hashes_are_printed(contract: Contract) -> None:
    visitors = ErasedVisitors.of(contract.click, contract.visitor, KEY, frozenset({hashed("v1", KEY)}))
    assert "0123456789abcdef" not in repr(visitors)
    assert hashed("v1", KEY) not in repr(visitors)
    assert visitors.visitor.names == ["visitor"]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.timestamp("us", "UTC"), pa.decimal128(38, 20)])
def test_visitor_with_several_spellings_is_refused(kind: pa.DataType) -> None:
    click = pa.schema([pa.field("who", kind, nullable=False)])
    with pytest.raises(ConfigError, match=r"who: expected a STRING, a whole number or a DATE, found .*, whose values"):
        check_visitor(click, "who")


@pytest.mark.parametrize("kind", [pa.string(), pa.int64(), pa.date32()])
def test_visitor_with_one_spelling_may_be_erased(kind: pa.DataType) -> None:
    check_visitor(pa.schema([pa.field("who", kind, nullable=False)]), "who")
