"""Records whose click stands within something else."""

import json
import re
import shlex
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
import yaml

from clickscore.config.click import FieldSource
from clickscore.samples.wrappings import recognise
from clickscore.scoring import Contract
from clickscore.scoring.reading import Reading, with_reading

CLICK = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 2.0, "quantity": 3}
TEXT = json.dumps(CLICK)


def said(contract: Contract, record: Any) -> str:
    raw = record if isinstance(record, bytes) else json.dumps(record).encode()
    return str(recognise(raw, contract.click))


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"schema": {}, "payload": CLICK}, "the click stands under payload, in Kafka Connect's envelope: "),
        ({"detail-type": "click", "detail": CLICK}, "the click stands under detail: "),
        ({"message": CLICK}, "the click stands under message: "),
        ({"a b": CLICK}, 'the click stands under "a b": '),
        ({"meta": {"id": 1}, "envelope": {"data": CLICK}}, "the click stands under envelope.data: "),
    ],
)
def test_click_under_a_key_is_read_by_the_mapping_that_is_told(contract: Contract, record: Any, what: str) -> None:
    sentence = said(contract, record)
    assert sentence.startswith(what)
    mapping = yaml.safe_load(sentence.partition("write under click: from: ")[2])
    place = re.split("under |, |: ", what)[1]
    assert mapping == {name: f"{place}.{name}" for name in contract.click.names}
    for source in mapping.values():
        FieldSource.model_validate(source)


def test_mapping_keeps_what_the_configuration_says_of_the_fields(contract: Contract) -> None:
    readings = {"visitor": Reading(("user.id", "anon")), "at": Reading(("ts",), format="%d.%m.%Y", zone="UTC"),
                "quantity": Reading(constant=1)}  # fmt: skip
    click = pa.schema([with_reading(field, readings.get(field.name, Reading())) for field in contract.click])
    sentence = said(replace(contract, click=click), {"data": {"id": "a", "ts": "1.3.2026", "anon": "v"}})
    assert yaml.safe_load(sentence.partition("from: ")[2]) == {
        "id": "data.id",
        "at": {"path": "data.ts", "format": "%d.%m.%Y", "zone": "UTC"},
        "visitor": ["data.user.id", "data.anon"],
        "price": "data.price",
        "quantity": {"constant": 1},
    }


IN_BASE64 = b64encode(TEXT.encode()).decode()
AS_OBJECT = "write it as an object: jq"


@pytest.mark.parametrize(
    ("record", "what", "remedy"),
    [
        ({"batch": [CLICK, CLICK]}, "the record is a batch of 2 under batch",
         "write each element as a record: jq -c '.batch[]' FILE"),
        ({"Message": TEXT}, "the click stands as JSON in the text under Message",
         f"{AS_OBJECT} -c '.Message | fromjson' FILE"),
        ({"message": {"data": IN_BASE64}}, "the click stands as base64 in the text under message.data",
         f"{AS_OBJECT} -c '.message.data | @base64d | fromjson' FILE"),
        (TEXT, "the record is a text that holds the click as JSON",
         f"{AS_OBJECT} -Rc '(fromjson? // .) | fromjson' FILE"),
        (IN_BASE64.encode(), "the record is a text that holds the click as base64",
         f"{AS_OBJECT} -Rc '(fromjson? // .) | @base64d | fromjson' FILE"),
        ([CLICK], "the record is a JSON array", "write each element as one line: jq -c '.[]' FILE"),
        (b"\0\0\0\0\x07{}", "the record begins with the frame of a schema registry (byte 0, then schema id 7)",
         "name its format and the registry: source: {value: {format: avro, registry: URL}}, or protobuf"),
    ],
)  # fmt: skip
def test_other_wrappings_come_with_the_way_out_of_them(contract: Contract, record: Any, what: str, remedy: str) -> None:
    assert said(contract, record) == f"{what}: {remedy}"


def test_base64_of_urls_without_padding_is_recognised(contract: Contract) -> None:
    text = urlsafe_b64encode(json.dumps({**CLICK, "visitor": "~~~???"}).encode()).rstrip(b"=")
    assert b"-" in text or b"_" in text
    assert said(contract, text).startswith("the record is a text that holds the click as base64: ")


@pytest.mark.parametrize("indent", [1, 4, "\t"])
def test_each_line_of_a_document_over_several_lines_is_recognised(contract: Contract, indent: Any) -> None:
    deep = [{**CLICK, "tags": ["a"], "geo": {"city": 'Bern "x"'}, "none": None, "is": True, "empty": [], "at": -1e5}]
    lines = json.dumps(deep, indent=indent).splitlines()
    [told] = {said(contract, line.encode()) for line in lines if line.strip() != '"a"'}
    assert told == (
        "the record is one line of JSON that was written over several lines: write each click as one line: jq -c . "
        "FILE, or jq -c '.[]' FILE if the file is an array"
    )


@pytest.mark.parametrize("line", [f"[{TEXT},", f"{TEXT},", f"{TEXT}]", f" {TEXT} ,"])
def test_line_of_an_array_with_a_line_for_each_element_is_recognised(contract: Contract, line: str) -> None:
    assert said(contract, line.encode()).startswith("the record is one line of a JSON array: ")


@pytest.mark.parametrize(
    "record",
    [
        CLICK, {**CLICK, "data": {"id": "b"}}, {"other": 1}, {"data": {"x": 1}}, {"batch": []}, {"text": "{}"}, 5, None,
        "no click", b"rubbish", b"", b"\0", b"\xff\xfe", b'{"id": "a"', b"c29tZXRoaW5nIGVsc2UgZW50aXJlbHk=", b"A" * 17,
    ],
)  # fmt: skip
def test_what_is_not_wrapped_is_left_alone(contract: Contract, record: Any) -> None:
    assert said(contract, record) == "None"


def test_names_of_a_record_run_no_command_and_move_no_cursor(contract: Contract) -> None:
    told = said(contract, {"a'; rm -rf x; '": [CLICK]})
    assert shlex.split(told.partition("jq -c ")[2])[1:] == ["FILE"]
    assert "\x1b" not in said(contract, {"\x1b[2J": CLICK})
