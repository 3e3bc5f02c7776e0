import datetime as dt
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from clickscore.scoring.contract import parse_ddl
from clickscore.scoring.reading import PLAIN, Reading, with_reading
from clickscore.scoring.record_tree import plant
from clickscore.scoring.record_types import record_decoder

CLICK = parse_ddl("at TIMESTAMP, day DATE, seen ARRAY<TIMESTAMP>, price DOUBLE, items ARRAY<STRUCT<n: INT>>", "here")
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone.utc)


def decoders(click: pa.Schema) -> list[Any]:
    return [record_decoder(plant(click)[0][0], is_quick, True)[0] for is_quick in (True, False)]


def test_both_decoders_give_the_same_for_usual_spellings() -> None:
    text = b'{"at":"2026-03-01T12:00:00Z","day":"2026-03-01","seen":["2026-03-01T12:00:00+00:00",null]}'
    quick, patient = (decode(text) for decode in decoders(CLICK))
    assert (quick.f0, quick.f1, quick.f2) == (patient.f0, patient.f1, patient.f2) == (NOON, NOON.date(), [NOON, None])


@pytest.mark.parametrize("text", [b'{"at":"2026-03-01 12:00:00 UTC"}', b'{"at":1772366400.0}', b'{"at":20260301}',
                                  b'{"day":"20260301"}', b'{"seen":[1772366400]}'])  # fmt: skip
def test_quick_decoder_leaves_other_spellings_to_the_patient_one(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoders(CLICK)[0](text)


def test_field_with_a_reading_of_its_own_is_read_so_by_both_at_any_depth() -> None:
    day, lenient = Reading(format="%d.%m.%Y", zone="Europe/Zurich"), Reading(is_lenient=True)
    readings = {"at": day, "seen": day, "price": lenient, "items": lenient}
    click = pa.schema([with_reading(field, readings.get(field.name, PLAIN)) for field in CLICK])
    for decode in decoders(click):
        found = decode(b'{"at":"01.03.2026","seen":["01.03.2026"],"price":"8.25","items":[{"n":"3"},{"n":4.0}]}')
        assert found.f0 == found.f2[0] == NOON - dt.timedelta(hours=13)
        assert (found.f3, found.f4) == (8.25, [{"n": 3}, {"n": 4}])
        with pytest.raises(msgspec.ValidationError, match=r"found the text 'x' - at `\$\.items\[0\]\.n`"):
            decode(b'{"items":[{"n":"x"}]}')
