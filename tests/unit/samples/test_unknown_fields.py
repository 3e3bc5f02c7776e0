from clickscore.samples.unknown_fields import MOST_SHOWN, count_unknown, listed
from clickscore.scoring import Contract


def test_fields_at_the_top_of_a_record_are_counted_where_nothing_reads_them(contract: Contract) -> None:
    records = [b'{"id": "a", "ip": {"price": 1}}', b'{"ip": null, "Price": 2}', b"rubbish", b"[1]", None, b"\xff"]
    assert count_unknown(records, contract.click) == {"ip": 2, "Price": 1}


def test_commonest_fields_are_listed_and_the_others_counted() -> None:
    counts = {f"f{number}": 1 for number in range(MOST_SHOWN + 2)} | {"ip\n": 100}
    words = listed(counts, 200)
    assert words.startswith(r"ip\n (50%), f0 (less than 1%), ")
    assert words.endswith(", and 3 more")
