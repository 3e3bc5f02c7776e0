"""A sample of records: what would become of it, without a run."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from clickscore.errors import SourceError
from clickscore.samples.trial import Group, Trial, attempt, from_base64, lines
from clickscore.scoring import Contract, Features, LoadedModel
from clickscore.scoring.outputs import as_outputs
from clickscore.scoring.reading import Reading, with_reading

NOW = datetime(2026, 3, 2, tzinfo=timezone.utc)
CLICK = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 2.0, "quantity": 3}
INPUTS = pa.schema([("double_price", pa.float64()), ("quantity", pa.float64())])


def tried(contract: Contract, features: Features, *records: Any, model: LoadedModel | None = None) -> Trial:
    raw = [record if isinstance(record, bytes | None) else json.dumps(record).encode() for record in records]
    return attempt(pa.array(raw, pa.binary()), contract, features, model, NOW)


def test_records_are_counted_by_what_would_become_of_them(contract: Contract, features: Features) -> None:
    trial = tried(contract, features, CLICK, b"{", {**CLICK, "at": "soon"}, b"[1]", {**CLICK, "at": "later"})
    assert (trial.records, trial.accepted) == (5, 1)
    assert list(trial.rejections) == ["invalid_time", "malformed_json", "not_an_object"]
    assert trial.rejections["invalid_time"] == Group(
        2,
        "Expected a time, found 'soon': use ISO 8601, an epoch number or RFC 2822, or name the format of the field in "
        "click.from - at `$.at`",
        json.dumps({**CLICK, "at": "soon"}),
    )


def test_unknown_and_absent_fields_are_named(contract: Contract, features: Features) -> None:
    bare = {name: CLICK[name] for name in ("id", "at", "visitor")}
    trial = tried(contract, features, {**bare, "ip": "1.2.3.4"}, {**bare, "ip": None, "utm": {"a": 1}}, b"{")
    assert trial.unknown == {"ip": 2, "utm": 1}
    assert {"price", "quantity"} <= set(trial.absent)
    assert "id" not in trial.absent


def test_fields_that_are_read_from_another_place_are_known_there(contract: Contract, features: Features) -> None:
    click = pa.schema([with_reading(field, Reading(("userId", "a.b") if field.name == "visitor" else ()))
                       for field in contract.click])  # fmt: skip
    mapped = replace(contract, click=click)
    trial = tried(mapped, features, {"id": "a", "at": CLICK["at"], "userId": "u", "visitor": "v", "a": {"c": 1}})
    assert (trial.accepted, trial.unknown) == (1, {"visitor": 1})


def test_times_out_of_reason_are_counted(contract: Contract, features: Features) -> None:
    # The second is a time in seconds that a shop has written as if it were milliseconds.
    trial = tried(contract, features, CLICK, {**CLICK, "at": 1_772_366}, {**CLICK, "at": "2062-01-01T00:00:00Z"})
    assert trial.odd_times == 2
    assert trial.first == datetime(1970, 1, 21, 12, 19, 26, tzinfo=timezone.utc)
    assert trial.last == datetime(2062, 1, 1, tzinfo=timezone.utc)


def test_examples_have_features_and_the_score_where_there_is_a_model(contract: Contract, features: Features) -> None:
    [example] = tried(contract, features, CLICK).examples
    assert example["id"] == "a"
    assert (example["double_price"], "score" in example) == (4.0, False)
    model = LoadedModel(
        INPUTS, lambda rows: as_outputs(rows.field("double_price").to_numpy(), len(rows)), {"score": None}
    )
    assert [example["score"] for example in tried(contract, features, b"{", CLICK, model=model).examples] == [4.0]


def test_sample_without_a_click_has_no_times(contract: Contract, features: Features) -> None:
    trial = tried(contract, features, None, b"")
    assert (trial.accepted, trial.first, trial.examples, trial.absent) == (0, None, (), ())
    assert set(trial.rejections) == {"tombstone", "empty_record"}


def test_commonest_wrapping_of_rejected_records_is_recognised(contract: Contract, features: Features) -> None:
    trial = tried(contract, features, CLICK, {"data": CLICK}, {"payload": CLICK}, {"payload": CLICK}, b"rubbish")
    assert (str(trial.wrapping).split(":")[0], trial.wrapped) == ("the click stands under payload", 2)
    assert tried(contract, features, CLICK, b"rubbish").wrapping is None


def test_line_of_a_windows_file_is_a_record_without_its_line_end_and_byte_order_mark() -> None:
    assert lines([b'\xef\xbb\xbf{"a": 1}\r\n', b"\n", b"x"]).to_pylist() == [b'{"a": 1}', b"", b"x"]
    assert lines([]).to_pylist() == []


def test_records_of_other_formats_come_as_base64() -> None:
    assert from_base64(lines([b"AAAAAAE=\n", b"\n"]), "sample").to_pylist() == [b"\0\0\0\0\x01", b""]
    with pytest.raises(SourceError, match=r"the sample clicks\.jsonl: expected a record in base64 in line 2,"):
        from_base64(lines([b"AAAA\n", b'{"id": 1}\n']), "clicks.jsonl")


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"{}\n" * 9_999)[:-30], gzip.compress(b"{}\n")[:12] + b"\xff" * 30],
    ids=["no gzip", "cut off", "damaged"],
)
def test_sample_that_cannot_be_unpacked_is_one_message(
    run_job: Callable[..., Any], tmp_path: Path, content: bytes
) -> None:
    sample = tmp_path / "sample.jsonl.gz"
    sample.write_bytes(content)
    done = run_job("try_clicks", "--config", "conf/local.yaml", str(sample))
    assert (done.status, done.out) == (2, "")
    assert f"the sample {sample} cannot be read: " in done.err
