"""Fields of records that no field of a click is read from."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec
import pyarrow as pa

from clickscore.config.record_path import Step
from clickscore.console import visible
from clickscore.scoring.reading import steps_of

MOST_SHOWN = 10
"""Fields that are listed, the commonest first."""
_LEAST_SHARE = 0.01
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def count_unknown(records: Iterable[bytes | None], click: pa.Schema) -> Counter[str]:
    """Count the records that have a field which is unknown, at the top of the record; for each such field.

    Args:
        records: raw records; those that are no JSON object count for nothing.
        click: the fields of a click, with how they are read.
    """
    known = known_keys(click)
    return Counter(key for record in records for key in _keys(record) - known)


def known_keys(click: pa.Schema) -> set[Step]:
    """Return the keys of a record at which the fields of a click begin."""
    return {steps[0] for field in click for steps in steps_of(field)}


def listed(counts: Mapping[str, int], records: int) -> str:
    """Return the commonest fields with their share of the records, in words."""
    common = sorted(counts.items(), key=lambda field: (-field[1], field[0]))
    more = f", and {len(common) - MOST_SHOWN} more" if len(common) > MOST_SHOWN else ""
    return ", ".join(f"{visible(name)} ({_share(count / records)})" for name, count in common[:MOST_SHOWN]) + more


def _keys(record: bytes | None) -> set[str]:
    try:
        return set(_decode_keys(record or b""))
    except _UNDECODABLE:
        return set()


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= _LEAST_SHARE else f"less than {_LEAST_SHARE:.0%}"
