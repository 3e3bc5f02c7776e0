"""The visitors that a person asks about: their ids as they were given, as the tables have them, and hashed."""

from dataclasses import dataclass, field
from pathlib import Path

from clickscore.errors import ConfigError
from clickscore.scoring.contract import Contract
from clickscore.scoring.privacy_rules import HASH, hashed

MOST_VISITORS = 10_000
"""Of one request: their ids travel to every task, and each is looked for in every record that cannot be read."""
MOST_BYTES = 10 * 1024**2
"""A larger file is not a list of so many ids, but something else."""


@dataclass(frozen=True)
class Visitors:
    """The visitors of a request, each with a number from 0.

    Attributes:
        ids: as the source has them; in no text that this class writes.
        places: where each id was given, for messages, which never name an id.
        stored: the ids as the tables have them: hashes, where a rule of privacy says so.
    """

    ids: tuple[str, ...] = field(repr=False)
    places: tuple[str, ...]
    stored: tuple[str, ...] = field(repr=False)

    @property
    def spellings(self) -> dict[str, int]:
        """What stands for a visitor in some text, with its number: its id and its stored id."""
        pairs = [(text, number) for texts in (self.ids, self.stored) for number, text in enumerate(texts)]
        return dict(pairs)

    def hashes(self, key: bytes) -> list[str]:
        """Return what the ledger knows each visitor by, in their order."""
        return [hashed(each, key) for each in self.ids]


def visitors_of(given: dict[str, str], contract: Contract) -> Visitors:
    """Return the visitors of a request.

    Args:
        given: id to where it was given.
        contract: what a click is, and what the tables keep of it.
    """
    ids, protection = tuple(given), contract.protection
    rule = protection.rules.get(contract.visitor) if protection else None
    is_hashed = protection is not None and rule is not None and rule.action == HASH
    stored = tuple(hashed(each, protection.key) for each in ids) if protection and is_hashed else ids
    return Visitors(ids, tuple(given.values()), stored)


def read_ids(file: Path) -> dict[str, str]:
    """Return the ids of a file, one a line, each once, with its line; blank lines and spaces around an id do not count.

    Raises:
        ConfigError: if the file cannot be read, has no id, or too many.
    """
    try:
        size = file.stat().st_size
        text = file.read_text(encoding="utf-8-sig") if size <= MOST_BYTES else ""
    except OSError as error:
        raise ConfigError(str(file), [f"the list of ids cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError(str(file), ["expected a list of ids in UTF-8, one a line"]) from None
    if size > MOST_BYTES:
        wanted = f"expected a list of ids, one a line, of {MOST_BYTES:,} bytes at most, found {size:,} bytes"
        raise ConfigError(str(file), [f"{wanted}; ask for {MOST_VISITORS:,} visitors at a time"])
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if visitor := line.strip():
            found.setdefault(visitor, f"line {number}")
    if not found:
        raise ConfigError(str(file), ["expected ids of visitors, one a line, found none"])
    if len(found) > MOST_VISITORS:
        raise ConfigError(str(file), [f"expected {MOST_VISITORS:,} ids at most, found {len(found):,}; split the file"])
    return found
