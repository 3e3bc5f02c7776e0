"""Records that people may look at: names stay, values keep their shape, what they say does not.

A rejected record can hold anything, and is often no JSON at all, so nothing is parsed: in every text, letters become
``x`` and digits ``0``, but for what can only be a name.
"""

import re

MOST_CHARACTERS = 400
"""Of a record on the page; the table has the whole of it."""

_LOOKED_AT = MOST_CHARACTERS + 50
"""A name at the end of what is shown is known by the colon after it."""

_LITERALS = ("true", "false", "null")
_TOKEN = re.compile(
    r'"(?P<key>[A-Za-z_$][A-Za-z_$.\-]{0,39})"(?=\s*:)'  # a name has no digit, no blank and no @
    rf"|(?<![\w\"])(?P<literal>{'|'.join(_LITERALS)})(?![\w\"])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_TELLING = re.compile(r"(?P<standard>ISO 8601|RFC 2822|UTF-8|ISO 8859-1)|(?P<word>\S*[@\d]\S*)")
"""A word of a message that could be a value: a number, an id, an address; and those that only look like one."""


def masked_record(raw: str) -> str:
    """Return a record without its values, as far as the page shows it."""
    shown = "".join(
        _shape(match["other"]) if match["other"] is not None else match[0]
        for match in _TOKEN.finditer(raw[:_LOOKED_AT])
    )
    return shown[:MOST_CHARACTERS] + (" …" if len(raw) > MOST_CHARACTERS else "")


def masked_detail(detail: str) -> str:
    """Return the words about a record without the values that they quote."""
    unquoted = _QUOTED.sub(lambda match: _masked(match[0]), detail[:MOST_CHARACTERS])
    return _TELLING.sub(lambda match: match["standard"] or _masked(match["word"]), unquoted)


def _masked(text: str) -> str:
    return "".join(map(_shape, text))


def _shape(character: str) -> str:
    if character.isdigit():
        return "0"
    if character.isalpha():
        return "x"
    # What moves a cursor, or turns the direction of the text, is no part of the shape.
    return character if character.isprintable() else "·"
