"""Records of a tracker that nobody has prepared the product for: nested, with names and times of its own."""

import json
import random
from typing import Any

START_MS = 1_772_366_400_000
"""2026-03-01 12:00 UTC."""


def record(number: int) -> dict[str, Any]:
    """Return a record of the tracker, the same for the same number; eight in a row are of one visitor."""
    of_record = random.Random(number)
    visitor = number // 8
    cart = [{"sku": f"S-{of_record.randrange(9)}", "unit price": f"{of_record.randrange(100, 9_900) / 100:.2f}"}]
    return {
        "meta": {"sentAt": str(START_MS + number * 61_000 + of_record.randrange(1_000)), "version": 3,
                 "hitId": f"h-{number:05d}"},
        "who": {"user": {"id": None if visitor % 3 else 9_000 + visitor}, "anon": {"cookieId": f"ck-{visitor}"}},
        "what": of_record.choices(["Look", "Basket", "Bought"], [12, 3, 1])[0],
        "page": {"location": f"https://shop.example/{of_record.randrange(50)}", "First Title": "Tee & mehr"},
        "cart": cart if of_record.random() < 0.7 else [],
        "extras": [{"name": "ab.test", "value": of_record.choice("AB")},
                   {"name": "depth", "value": of_record.randrange(9)}],
        "flags": {"beta": of_record.choice(["true", "false"]), "first": of_record.random() < 0.5},
        "tags": of_record.sample(["new", "sale", "tea"], 2),
        "ref": None,
    }  # fmt: skip


def sample(records: int, first: int = 0) -> list[str]:
    """Return records as lines, with what is no click among them: one in fifty is cut off."""
    lines = [json.dumps(record(number)) for number in range(first, first + records)]
    return [line[: len(line) // 2] if number % 50 == 49 else line for number, line in enumerate(lines)]
