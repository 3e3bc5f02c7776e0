"""Mentions: which visitor a record is of that nobody can decode, told by an id that stands in it as a whole word."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from urllib.parse import quote

_WORD = re.compile(r"[\w-]+")
"""What an id must not be a part of: ``v1`` is neither in ``v12`` nor in ``v1-2``."""


class Mentions:
    """Finds some ids in texts, at the price of one look for each word of a text, however many ids there are."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        """Remember the ids, with what ``find`` returns for each, by their first words."""
        self._by_word: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
        self._wordless: list[tuple[str, int]] = []
        for visitor, number in numbers.items():
            for spelling in dict.fromkeys(_spellings(visitor)):
                if word := _WORD.search(spelling):
                    self._by_word[word[0]].append((word.start(), spelling, number))
                else:
                    self._wordless.append((spelling, number))

    def find(self, record: bytes | str | None) -> int | None:
        """Return the number of an id that stands in a record as a whole word, the first one; None where there is none.

        Args:
            record: any bytes: those that are no UTF-8 are passed over, and so are the zeros of UTF-16.
        """
        if record is None:
            return None
        text = record if isinstance(record, str) else record.replace(b"\0", b"").decode(errors="replace")
        return next(self._found(text), None)

    def _found(self, text: str) -> Iterator[int]:
        for word in _WORD.finditer(text):
            for offset, spelling, number in self._by_word.get(word[0], ()):
                begin = word.start() - offset
                if begin >= 0 and text.startswith(spelling, begin) and _ends(text, begin + len(spelling)):
                    yield number
        for spelling, number in self._wordless:
            if spelling in text:
                yield number


def _ends(text: str, end: int) -> bool:
    """Tell whether no word goes on over a place in a text."""
    return not (_WORD.match(text, end - 1) and _WORD.match(text, end))


def _spellings(visitor: str) -> Iterator[str]:
    """Yield an id as plain text, as JSON writes it, and as an address does."""
    yield visitor
    yield from (json.dumps(visitor, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    yield quote(visitor, safe="")
