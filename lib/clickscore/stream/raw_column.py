"""The column ``raw`` of ``rejected_clicks``: the record as text, and the bytes that came from the source again."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from clickscore.reasons import INVALID_ENCODING
from clickscore.storage.schemas import VALUE

IN_BASE64 = "; raw is base64"
"""How the detail of a record ends whose ``raw`` is base64."""


def raw_text(reason: str) -> Column:
    """Return the raw record as the tables hold it: as text; what is no UTF-8 as ISO 8859-1, or in base64.

    ISO 8859-1 is for records that should be text, and is told by their reason; base64 for those of Avro and Protobuf,
    and is told by their detail.
    """
    value = F.col(VALUE)
    latin = F.decode(value, "ISO-8859-1")
    in_base64 = F.when(_is_binary(reason), F.base64(value)).otherwise(value.cast("string"))
    return F.when(F.col(reason) == INVALID_ENCODING, latin).otherwise(in_base64)


def raw_detail(reason: str, detail: str) -> Column:
    """Return the detail as the tables hold it, which tells when ``raw`` is base64."""
    return F.when(_is_binary(reason), F.concat(F.coalesce(detail, F.lit("")), F.lit(IN_BASE64))).otherwise(
        F.col(detail)
    )


def _is_binary(reason: str) -> Column:
    return (F.col(reason) != INVALID_ENCODING) & ~F.is_valid_utf8(F.col(VALUE).cast("string"))


def raw_bytes() -> Column:
    """Return the bytes that came from the source, of a row of ``rejected_clicks`` with ``raw``: see ``raw_text``."""
    raw = F.col("raw")
    # The detail may quote a record that ends so; what is no base64 is text.
    binary = F.when(F.col("detail").endswith(IN_BASE64), F.try_to_binary(raw, F.lit("base64")))
    latin = F.when(F.col("reason") == INVALID_ENCODING, F.encode(raw, "ISO-8859-1"))
    return F.coalesce(latin, binary, raw.cast("binary"))
