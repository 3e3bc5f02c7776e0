"""The functions that a feature may use, and DuckDB's words for those that only Spark SQL has."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from clickscore.scoring.feature_engine import Engine

UNCALLED = {
    "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "current_user", "session_user",
    "user", "current_role", "current_catalog", "current_schema",
}  # fmt: skip
"""What SQL writes without parentheses, so that it looks like a field of the click."""

_OF_THE_SESSION = UNCALLED | {"version", "inet_client_addr", "inet_server_addr", "current_schemas", "current_query"}
_ONLY_RAISES = {"error"}
"""Marked as if it differed from call to call, so that it is not computed early; what it does is raise."""

SPARK_OPERATORS = {
    "rlike": "regexp_matches(text, pattern)",
    "regexp": "regexp_matches(text, pattern)",
    "div": "a // b",
}
SPARK_FUNCTIONS = {
    "nvl": "coalesce(a, b)",
    "nvl2": "CASE WHEN a IS NOT NULL THEN b ELSE c END",
    "isnull": "x IS NULL",
    "isnotnull": "x IS NOT NULL",
    "rlike": "regexp_matches(text, pattern)",
    "regexp_like": "regexp_matches(text, pattern)",
    "date_format": "strftime(time, '%Y-%m-%d'); the format codes are those of C",
    "to_timestamp_ntz": "strptime(text, '%Y-%m-%d %H:%M:%S')",
    "to_date": "CAST(text AS DATE), or strptime(text, format)",
    "unix_timestamp": "epoch(time)",
    "unix_seconds": "epoch(time)",
    "unix_millis": "epoch_ms(time)",
    "unix_micros": "epoch_us(time)",
    "from_unixtime": "make_timestamp(seconds * 1000000)",
    "timestamp_seconds": "make_timestamp(seconds * 1000000)",
    "timestamp_millis": "make_timestamp(milliseconds * 1000)",
    "timestamp_micros": "make_timestamp(microseconds)",
    "pmod": "((a % b) + b) % b",
    "size": "len(list), or cardinality(map)",
    "array_size": "len(list)",
    "get": "list[n], which counts from 1",
    "get_json_object": "json_extract_string(text, '$.key')",
    "xxhash64": "md5_number_lower(text); it returns other numbers",
    "crc32": "md5_number_lower(text); it returns other numbers",
    "sha2": "sha256(text)",
    "log1p": "ln(1 + x)",
    "expm1": "exp(x) - 1",
    "rint": "round_even(x, 0)",
    "bround": "round_even(x, digits)",
    "positive": "x",
    "negative": "-x",
    "signum": "sign(x)",
    "shiftleft": "x << n",
    "shiftright": "x >> n",
    "substring_index": "split_part(text, delimiter, n)",
    "initcap": "upper(text[1]) || lower(text[2:])",
    "locate": "instr(text, part)",
    "startswith": "starts_with(text, part)",
    "endswith": "ends_with(text, part)",
    "charindex": "instr(text, part)",
    "try_divide": "a / nullif(b, 0)",
    "try_add": "TRY(a + b)",
    "try_subtract": "TRY(a - b)",
    "try_multiply": "TRY(a * b)",
    "try_element_at": "list[n], or map[key]",
    "array_max": "list_max(list)",
    "array_min": "list_min(list)",
    "sort_array": "list_sort(list)",
    "map_contains_key": "map_contains(map, key)",
    "named_struct": "{'name': value}",
    "add_months": "time + INTERVAL 1 MONTH",
    "months_between": "date_diff('month', from, to)",
    "double": "CAST(x AS DOUBLE)",
    "float": "CAST(x AS FLOAT)",
    "int": "CAST(x AS INTEGER)",
    "bigint": "CAST(x AS BIGINT)",
    "string": "CAST(x AS VARCHAR)",
    "boolean": "CAST(x AS BOOLEAN)",
    "timestamp": "CAST(x AS TIMESTAMP)",
    "dateadd": "time + INTERVAL 1 DAY",
    "unix_date": "date_diff('day', DATE '1970-01-01', CAST(time AS DATE))",
    "from_utc_timestamp": "timezone('Europe/Berlin', timezone('UTC', time))",
    "to_utc_timestamp": "timezone('UTC', timezone('Europe/Berlin', time))",
    "format_string": "printf(format, a, b)",
    "char": "chr(n)",
    "space": "repeat(' ', n)",
    "btrim": "trim(text)",
    "find_in_set": "list_position(split(texts, ','), text)",
    "nanvl": "CASE WHEN isnan(a) THEN b ELSE a END",
    "zeroifnull": "coalesce(x, 0)",
    "nullifzero": "nullif(x, 0)",
    "iff": "if(condition, a, b)",
    "array": "[a, b]",
    "array_join": "array_to_string(list, delimiter)",
    "slice": "list[from:to]",
    "sequence": "generate_series(from, to)",
    "transform": "list_transform(list, lambda x: x + 1)",
    "exists": "list_bool_or(list_transform(list, lambda x: x > 1))",
    "struct": "{'name': value}",
    "parse_url": "regexp_extract(url, pattern, 1)",
    "getenv": "the value itself: a feature depends on the click alone",
}
"""Looked at only where DuckDB has no function of that name."""

_WEEKDAY = "isodow(time) - 1 for Monday = 0, or date_part('dow', time) for Sunday = 0"
AMBIGUOUS: dict[str, tuple[str, str, Callable[[list[Any]], bool]]] = {
    "weekday": ("counts from Sunday here and from Monday in Spark", _WEEKDAY, lambda _: True),
    "dayofweek": ("counts from 0 here and from 1 in Spark", _WEEKDAY, lambda _: True),
    "log": ("is to the base 10 here and natural in Spark", "ln(x) or log10(x)", lambda given: len(given) == 1),
    "element_at": ("reads maps only, and answers with a list", "list[n], or map[key]", lambda _: True),
    "to_timestamp": (
        "takes seconds here and text in Spark",
        "strptime(text, '%Y-%m-%d %H:%M:%S'), or make_timestamp(seconds * 1000000)",
        lambda _: True,
    ),
    "hash": ("may change with the version of DuckDB", "md5_number_lower(text)", lambda _: True),
    "<=>": ("is a distance of lists here", "a IS NOT DISTINCT FROM b", lambda _: True),
    "^": ("is a power here and bits in Spark", "pow(a, b) or xor(a, b)", lambda _: True),
    "age": ("with one argument reads the clock", "age(to, from)", lambda given: len(given) == 1),
    **dict.fromkeys(
        ("substring", "substr"),
        ("counts from 1, and from 0 it gives one character less than in Spark", "substring(text, 1, n)",
         lambda given: len(given) > 1 and _is_zero(given[1])),
    ),
}  # fmt: skip
"""What DuckDB knows and many would misread: what it does, what to write instead, and for which arguments."""


class Functions:
    """DuckDB's functions, as its own catalog lists them."""

    def __init__(self, engine: Engine) -> None:
        """Read the catalog."""
        self._known = {
            name: (set(kinds), changes, [body for body in bodies if body])
            for name, kinds, changes, bodies in engine.ask(
                "SELECT lower(function_name), list(DISTINCT function_type), coalesce(bool_and(stability <> "
                "'CONSISTENT') FILTER (function_type = 'scalar'), false), list(DISTINCT macro_definition) "
                "FROM duckdb_functions() GROUP BY 1"
            )
        }

    def bodies(self, name: str) -> list[str]:
        """Return what a macro stands for, in each of its forms."""
        return self._known[name][2] if name in self._known else []

    def refusal(self, name: str, given: list[Any]) -> str | None:
        """Say why a feature may not use a function, and what to write instead; None if it may.

        Args:
            name: in lower case.
            given: the arguments, as DuckDB's parser tells them.
        """
        if name in AMBIGUOUS and AMBIGUOUS[name][2](given):
            does, instead, _ = AMBIGUOUS[name]
            return f"{name} {does}: write {instead}"
        if name not in self._known:
            if name in SPARK_FUNCTIONS:
                return f"DuckDB does not know {name}: write {SPARK_FUNCTIONS[name]}"
            return f"DuckDB does not know {name}{nearest(name, self._known)}"
        kinds, changes, _ = self._known[name]
        if "scalar" in kinds or "macro" in kinds:
            if (changes and name not in _ONLY_RAISES) or name in _OF_THE_SESSION:
                return (
                    f"{name} differs from call to call or from session to session: compute from the click alone, "
                    "for instance from its time"
                )
            return None
        if kinds & {"aggregate", "window"}:
            return f"{name} looks at several clicks: a feature is computed from one click alone"
        return f"{name} makes rows: a click has one row of features; list_transform and the like work on a list"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a question with the nearest known name, to be put behind what is wrong; empty if none is near."""
    close = get_close_matches(name.lower(), {each.lower(): each for each in known}, n=1)
    return f": did you mean {close[0]}?" if close else ""


def _is_zero(argument: Any) -> bool:
    return bool(argument.get("expression", {}).get("literal", {}).get("text") == "0")
