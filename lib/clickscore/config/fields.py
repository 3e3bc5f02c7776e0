"""The building blocks of the configuration: strict sections, sizes, intervals, references to secrets."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_UNITS_MS = {"millisecond": 1, "second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
_INTERVAL = re.compile(rf"(\d+) ({'|'.join(_UNITS_MS)})s?")
LARGEST = 2**63 - 1
"""The largest number that Spark, Delta and Kafka take for a size or a count."""
_LONGEST_MS = 36_500 * _UNITS_MS["day"]
"""Longer than any run; times so far away still have a date."""
_SIZE = re.compile(r"(\d+) ?(KiB|MiB|GiB)")
_BYTES = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_PATTERN = "{}[]*?\\"
"""Characters of a path that Spark takes for a pattern, here and there, whatever is meant."""
_REFERENCE = re.compile(r"env:\w+|file:.+|secret:[^/]+/.+")


class Section(BaseModel):
    """A part of the configuration; keys it does not know, and values of another type, are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def existing_file(path: Path) -> Path:
    """Return the path of a file that is there.

    Raises:
        ValueError: with the nearest name beside it.
    """
    try:
        if path.is_file():
            return path
        siblings = [str(other) for other in path.parent.glob("*")] if path.parent.is_dir() else []
    except OSError as error:  # such as a name that is too long
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    raise ValueError(f"no such file: {path}{nearest(str(path), siblings)}")


def pattern_characters(path: str) -> str:
    """Return those characters of a path that Spark takes for a pattern, with spaces between; mostly nothing."""
    return " ".join(character for character in _PATTERN if character in path)


def _path(text: str) -> str:
    if found := pattern_characters(text):
        raise ValueError(f"{text} has {found}, which Spark takes for a pattern; rename the folder")
    return text


def _table(text: str) -> str:
    return _path(text) if "/" in text else text


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    if not match:
        raise ValueError(f'expected a number of bytes or a size such as "64 MiB", found {value!r}')
    return int(match[1]) * _BYTES[match[2]]


def is_interval(text: str) -> bool:
    """Tell whether the text is an interval such as ``10 minutes``."""
    return _INTERVAL.fullmatch(text) is not None


def interval_ms(value: object) -> int:
    """Return the milliseconds of an interval such as ``10 minutes``.

    Raises:
        ValueError: if it is none.
    """
    match = _INTERVAL.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f'expected an interval such as "10 minutes", found {value!r}')
    milliseconds = int(match[1]) * _UNITS_MS[match[2]]
    if milliseconds > _LONGEST_MS:
        raise ValueError(f"expected an interval of {interval_text(_LONGEST_MS)} at most, found {value!r}")
    return milliseconds


def interval_text(milliseconds: int) -> str:
    """Return an interval in the largest unit that it is a multiple of: ``400 days``."""
    unit, size = next((unit, size) for unit, size in reversed(_UNITS_MS.items()) if milliseconds % size == 0)
    count = milliseconds // size
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def is_reference(text: str) -> bool:
    """Tell whether the text is a reference to a secret."""
    return _REFERENCE.fullmatch(text) is not None


def _reference(text: str) -> str:
    if not is_reference(text):
        # Without what was found: it may be the secret itself.
        raise ValueError("expected a reference to a secret: env:NAME, file:PATH or secret:scope/key, found a literal")
    return text


ExistingFile = Annotated[Path, AfterValidator(existing_file), Field(strict=False)]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0, le=LARGEST)]
Count = Annotated[int, Field(gt=0, le=LARGEST)]
Text = Annotated[str, Field(min_length=1)]
FolderPath = Annotated[Text, AfterValidator(_path)]
"""A folder on any file system, never a pattern of several."""
TableName = Annotated[Text, AfterValidator(_table)]
"""A path, which has a slash, or the name of a table in a catalog."""
Milliseconds = Annotated[int, BeforeValidator(interval_ms), Field(gt=0)]
Reference = Annotated[str, AfterValidator(_reference)]
"""Where a secret is, never the secret itself."""


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint at the most similar of the names, or nothing."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""
