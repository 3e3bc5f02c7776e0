"""Text becomes a schema: the columns of Spark's DDL, read without Spark, as Arrow fields.

It is one small rule of Spark's grammar, ``colTypeList``. A parser for all of SQL reads it otherwise than Spark does:
sqlglot 30.30 refuses ``select`` as a name, misreads ``name: TYPE``, and takes a comma at the end and ``PRIMARY KEY``.
"""

import re
from typing import NamedTuple

import pyarrow as pa

PLAIN: dict[str, pa.DataType] = {
    "STRING": pa.string(), "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(), "SMALLINT": pa.int16(), "INT": pa.int32(), "BIGINT": pa.int64(),
    "FLOAT": pa.float32(), "DOUBLE": pa.float64(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"), "DATE": pa.date32(),
}  # fmt: skip
"""The types that stand alone, by Spark's name for them; beside them there are DECIMAL, ARRAY, MAP and STRUCT."""
UNSUPPORTED = pa.binary()
"""What stands in the place of a type that a click cannot have, so that the rest of the text can be looked at."""
COMMENT = b"comment"
"""Key of a column's comment in the metadata of its Arrow field."""

_SYNONYMS = {"BYTE": "TINYINT", "SHORT": "SMALLINT", "INTEGER": "INT", "LONG": "BIGINT", "REAL": "FLOAT",
             "TIMESTAMP_LTZ": "TIMESTAMP"}  # fmt: skip
_MAX_PRECISION, _USUAL_PRECISION = 38, 10
"""Digits of a DECIMAL: the most that Spark and Arrow hold in 128 bits, and what Spark takes where none are given."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\n\f\r\v\u00a0\u1680\u2000-\u200a\u2028\u202f\u205f\u3000]+|--(?:\\\n|[^\r\n])*)
    |(?P<quoted>`(?:[^`]|``)*`)
    |(?P<raw>[rR](?:'[^']*'|"[^"]*"))
    |(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    |(?P<word>[A-Za-z0-9_]+)
    |(?P<mark>[<>(),:])""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_ENDS = re.compile(r"/\*|\*/")
_NUMBER = re.compile(r"\d+(?:E\d+)?(?:BD|[LSYFD])?", re.IGNORECASE)
_ESCAPE = re.compile(
    r"""\\(?:[uU]((?<=u)[0-9a-fA-F]{4}|(?<=U)00(?:10|0[0-9a-fA-F])[0-9a-fA-F]{4})|([01][0-7]{2})|(.))|(''|"")""",
    re.DOTALL,
)
_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}


class DdlError(Exception):
    """Raised for a text that is not a list of columns; says where, what was expected and what was found."""


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def read_fields(text: str) -> tuple[pa.Schema, list[str]]:
    """Read columns, as Spark would.

    Args:
        text: ``name TYPE [NOT NULL] [COMMENT '...'], ...``

    Returns:
        The fields in their order, nullable unless NOT NULL, with their comments as metadata, at all depths; and a
        sentence about each type that a click cannot have. ``UNSUPPORTED`` stands in its place.

    Raises:
        DdlError: if the text is anything else.
    """
    reader = _Reader(text)
    fields = reader.fields("")
    reader.expect_end()
    return pa.schema(fields), reader.problems


class _Reader:
    """Reads tokens from the left to the right, one method per rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.problems: list[str] = []
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0

    def fields(self, path: str) -> list[pa.Field]:
        fields = [self._field(path)]
        while self._takes(","):
            fields.append(self._field(path))
        return fields

    def expect_end(self) -> None:
        if self._token().kind != "end":
            raise self._error("NOT NULL, COMMENT, a comma or the end")

    def _field(self, path: str) -> pa.Field:
        name = self._name()
        self._takes(":")
        kind = self._type(f"{path}.{name}" if path else name)
        is_required = self._takes("NOT")
        if is_required:
            self._expect("NULL")
        comment = self._string() if self._takes("COMMENT") else None
        metadata = None if comment is None else {COMMENT: comment.encode()}
        return pa.field(name, kind, not is_required, metadata)

    def _name(self) -> str:
        token = self._token()
        if token.kind == "quoted":
            self._next += 1
            return token.text[1:-1].replace("``", "`")
        if token.kind != "word" or _NUMBER.fullmatch(token.text):
            raise self._error("a name; other names than ASCII letters, digits and underscores need `backticks`")
        self._next += 1
        return token.text

    def _type(self, path: str) -> pa.DataType:
        start = self._next
        if self._token().kind != "word":
            raise self._error("a type")
        self._next += 1
        word = self._tokens[start].text.upper()
        if word == "ARRAY":
            self._expect("<")
            kind = pa.list_(self._type(f"{path}.element"))
        elif word == "MAP":
            self._expect("<")
            key = self._type(f"{path}.key")
            self._expect(",")
            kind = pa.map_(key, self._type(f"{path}.value"))
        elif word == "STRUCT":
            self._expect("<")
            kind = pa.struct([] if self._token().text == ">" else self.fields(path))
        elif word in ("DECIMAL", "DEC", "NUMERIC"):
            return self._decimal() or self._unsupported(path, start)
        elif self._token().text.upper() in ("COLLATE", "WITHOUT"):
            return self._unsupported(path, start)
        else:
            return PLAIN.get(_SYNONYMS.get(word, word)) or self._unsupported(path, start)
        self._expect(">")
        return kind

    def _decimal(self) -> pa.DataType | None:
        precision, scale = _USUAL_PRECISION, 0
        if self._takes("("):
            precision = self._number()
            scale = self._number() if self._takes(",") else 0
            self._expect(")")
        return pa.decimal128(precision, scale) if scale <= precision and 0 < precision <= _MAX_PRECISION else None

    def _unsupported(self, path: str, start: int) -> pa.DataType:
        """Pass over the rest of a type, whatever it is, so that all of them are named at once."""
        depth = 0
        while (token := self._token()).kind != "end":
            depth += (token.text in "<(") - (token.text in ">)")
            if depth < 0 or (depth == 0 and token.text.upper() in (",", "NOT", "COMMENT")):
                break
            self._next += 1
        words = self._text[self._tokens[start].start : self._tokens[self._next - 1].end].split()
        self.problems.append(f"{path}: type {' '.join(words).lower()} is not supported in a click")
        return UNSUPPORTED

    def _number(self) -> int:
        token = self._token()
        if not token.text.isdecimal():
            raise self._error("a whole number")
        self._next += 1
        return int(token.text)

    def _string(self) -> str:
        start = self._next
        while self._token().kind in ("text", "raw"):
            self._next += 1
        if self._next == start:
            raise self._error("a text in quotes")
        text = "".join(map(_unquoted, self._tokens[start : self._next]))
        # Two escapes may make one character, as in Java's strings; one half alone is no text.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _takes(self, text: str) -> bool:
        token = self._token()
        is_there = token.kind in ("word", "mark") and token.text.upper() == text
        self._next += is_there
        return is_there

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            raise self._error(text)

    def _error(self, expected: str) -> DdlError:
        token = self._token()
        return _error(self._text, token.start, expected, token.text or "the end")


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text):
        if text.startswith("/*", at) and not text.startswith("/*+", at):
            at = _end_of_comment(text, at)
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise _error(text, at, "a name, a type or a comma", text[at])
        if match.lastgroup != "space":
            tokens.append(_Token(match.lastgroup or "", match[0], at, match.end()))
        at = match.end()
    return [*tokens, _Token("end", "", at, at)]


def _end_of_comment(text: str, start: int) -> int:
    depth = 0
    for match in _COMMENT_ENDS.finditer(text, start):
        depth += 1 if match[0] == "/*" else -1
        if not depth:
            return match.end()
    raise _error(text, start, "*/ after it", "/*")


def _error(text: str, at: int, expected: str, found: str) -> DdlError:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return DdlError(f"line {line}, column {column}: expected {expected}, found {found}")


def _unquoted(token: _Token) -> str:
    if token.kind == "raw":
        return token.text[2:-1]
    quote = token.text[0]
    return _ESCAPE.sub(lambda match: _unescaped(match, quote), token.text[1:-1])


def _unescaped(match: re.Match[str], quote: str) -> str:
    code, octal, other, doubled = match.groups()
    if doubled:
        return quote if quote == doubled[0] else str(doubled)
    if code:
        return chr(int(code, 16))
    return chr(int(octal, 8)) if octal else _ESCAPED.get(other, str(other))
