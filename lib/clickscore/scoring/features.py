"""Clicks get features: the features file, one Spark SQL select over a click, is their only definition."""

import re
from collections import Counter

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.errors import ConfigError, SignatureError
from clickscore.reasons import MISSING_FEATURE
from clickscore.storage.schemas import quoted

FEATURES_COLUMN, CHALLENGER_COLUMN = "_features", "_challenger_features"

_SHARES = 1_000_000
"""Parts that visitors are divided into when some of them are sampled."""
_SAMPLE_SALT = "clickscore-challenger"
"""Hashed along with the visitor, so that the sample is not that of somebody else's experiment on the same hash."""

_SELECT = re.compile(r"\s*SELECT\b(?P<list>.*)\bFROM\s+click\s*;?\s*", re.IGNORECASE | re.DOTALL)
_TEXT_OR_COMMENT = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|--[^\n]*""")


def select_list(sql: str, where: str) -> str:
    """Return what stands between SELECT and FROM click.

    Raises:
        ConfigError: if the text is not one such select.
    """
    match = _SELECT.fullmatch(_TEXT_OR_COMMENT.sub(lambda found: found[1] or "", sql))
    if not match:
        raise ConfigError(where, ["expected SELECT <expression> AS <name>, ... FROM click, and nothing after it"])
    return match["list"]


def with_features(clicks: DataFrame, select: str) -> DataFrame:
    """Add ``_features``, a struct with one field per expression of the select list, as the expressions type them."""
    return clicks.alias("click").withColumn(FEATURES_COLUMN, F.expr(f"struct({select})"))


def with_model_input(clicks: DataFrame, inputs: T.StructType) -> DataFrame:
    """Cast the features to exactly the inputs of the model; a click that lacks a required one is rejected.

    Args:
        clicks: with ``_features``, ``_rejection``.
        inputs: what the model's signature asks for, in its order; NOT NULL means required.

    Returns:
        The same columns; ``_features`` has just the fields of ``inputs``, in their order and types, and
        ``_rejection`` has the reason ``missing_feature`` where a required field is null.
    """
    required = [field.name for field in inputs.fields if not field.nullable]
    clicks = clicks.withColumn(FEATURES_COLUMN, _cast_to(inputs))
    if not required:
        return clicks
    names = F.concat_ws(", ", *[F.when(_is_null(name), F.lit(name)) for name in required])
    missing = F.when(
        names != "",
        F.struct(
            F.lit(MISSING_FEATURE).alias("reason"), F.concat(F.lit("null, but required: "), names).alias("detail")
        ),
    )
    return clicks.withColumn("_rejection", F.coalesce("_rejection", missing))


def with_challenger_input(clicks: DataFrame, inputs: T.StructType, visitor: str, share: float) -> DataFrame:
    """Add the features of clicks that a challenger scores as well; they are those of some visitors, always the same.

    Args:
        clicks: with ``_features``, as the features file types them.
        inputs: what the challenger's signature asks for.
        visitor: the field that tells visitors apart.
        share: part of the visitors, 0 to 1.

    Returns:
        With ``_challenger_features``, a struct of ``inputs``; null for other visitors, and where a required input is.
    """
    is_sampled = _is_sampled(visitor, share)
    for field in inputs:
        if not field.nullable:
            is_sampled &= F.expr(f"{_cast(field)} IS NOT NULL")
    return clicks.withColumn(CHALLENGER_COLUMN, F.when(is_sampled, _cast_to(inputs)))


def with_challenged_visitors(clicks: DataFrame, visitor: str, share: float) -> DataFrame:
    """Add ``_challenger_features BOOLEAN``, true for clicks that a challenger scores from the champion's own inputs.

    Sending these to the workers a second time would cost more than the challenger itself.
    """
    return clicks.withColumn(CHALLENGER_COLUMN, _is_sampled(visitor, share))


def _is_sampled(visitor: str, share: float) -> Column:
    part = F.pmod(F.xxhash64(F.col(visitor).cast("string"), F.lit(_SAMPLE_SALT)), F.lit(_SHARES))
    return F.coalesce(part < share * _SHARES, F.lit(False))


def check_features(
    features: T.StructType, inputs: T.StructType, where: str, others: T.StructType | None = None
) -> None:
    """Make sure that the features file produces every input of the model, castable to its type.

    Args:
        features: what the file produces.
        inputs: what the model's signature asks for.
        where: the file, for the message.
        others: what another model asks for, which is at work beside it: its inputs are not too many.

    Raises:
        SignatureError: with all missing, extra and wrong ones in one message.
    """
    produced = {field.name: field.dataType for field in features.fields}
    wanted = {field.name: field.dataType for field in inputs.fields}
    known = {*wanted, *(others.names if others else ())}
    counts = Counter(name.lower() for name in features.names)
    problems = [f"twice: {name}" for name, count in counts.items() if count > 1]
    problems += [f"missing: {name} {wanted[name].simpleString()}" for name in wanted if name not in produced]
    problems += [f"extra: {name}, which the model does not know" for name in produced if name not in known]
    problems += [
        f"wrong type: {name} is {produced[name].simpleString()}, the model wants {wanted[name].simpleString()}"
        for name in wanted
        if name in produced and not _castable(produced[name], wanted[name])
    ]
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise SignatureError(f"{where} does not produce what the model asks for:\n{lines}")


def _is_null(name: str) -> Column:
    return F.col(FEATURES_COLUMN).getField(name).isNull()


def _cast_to(inputs: T.StructType) -> Column:
    # As one text: in Python's columns this would be hundreds of calls to the JVM, in every micro-batch.
    return F.expr(f"struct({', '.join(f'{_cast(field)} AS {quoted(field.name)}' for field in inputs)})")


def _cast(field: T.StructField) -> str:
    # A number that does not fit becomes null: a plain cast would wrap it around, or end the task in ANSI mode.
    return f"try_cast({FEATURES_COLUMN}.{quoted(field.name)} AS {field.dataType.simpleString()})"


def _castable(found: T.DataType, wanted: T.DataType) -> bool:
    if found == wanted:
        return True
    if isinstance(wanted, T.NumericType | T.BooleanType):
        return isinstance(found, T.NumericType | T.BooleanType)
    if isinstance(wanted, T.StringType):
        return isinstance(found, T.AtomicType) and not isinstance(found, T.BinaryType)
    return isinstance(wanted, T.TimestampType) and isinstance(found, T.DateType)
