import pytest

from clickscore.report.masking import MOST_CHARACTERS, masked_detail, masked_record


@pytest.mark.parametrize(("raw", "shown"), [
    ('{"visitor_id":"anna7","price":12.5}', '{"visitor_id":"xxxx0","price":00.0}'),
    ('{"visitor_id": null, "is_new" : true}', '{"visitor_id": null, "is_new" : true}'),
    ('{"anna@example.org": 1, "v17": 2}', '{"xxxx@xxxxxxx.xxx": 0, "x00": 0}'),
    ('{"visitor_id":"an', '{"visitor_id":"xx'),
    ('{"say":"\\"visitor_id\\": secret"}', '{"say":"\\"xxxxxxx_xx\\": xxxxxx"}'),
    ("anna;17;Zürich;true story", "xxxx;00;xxxxxx;true xxxxx"),
    ("\u202e\x1b[2J日本٣", "··[0xxx0"),
])  # fmt: skip
def test_names_stay_and_values_do_not(raw: str, shown: str) -> None:
    assert masked_record(raw) == shown


def test_long_record_is_cut_after_a_whole_name() -> None:
    raw = "{" + '"visitor_id":"anna",' * 100
    shown = masked_record(raw)
    assert len(shown) == MOST_CHARACTERS + 2
    assert shown.endswith(" …")
    assert "anna" not in shown
    assert 'xxxxxxx_xx"' not in shown


@pytest.mark.parametrize(("detail", "shown"), [
    ("event_id is missing", "event_id is missing"),
    ("expected a number, found 'anna' - at `$.price`", "expected a number, found 'xxxx' - at `$.price`"),
    ('Could not convert "anna b" to INT', 'Could not convert "xxxx x" to INT'),
    ("bad visitor anna@example.org, 4711", "bad visitor xxxx@xxxxxxx.xxx, 0000"),
    ("use ISO 8601 or RFC 2822", "use ISO 8601 or RFC 2822"),
    ("expected UTF-8, found byte 17", "expected UTF-8, found byte 00"),
])  # fmt: skip
def test_words_about_a_record_quote_no_value(detail: str, shown: str) -> None:
    assert masked_detail(detail) == shown
