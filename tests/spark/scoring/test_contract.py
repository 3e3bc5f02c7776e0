"""Spark is the other reader: whatever it makes of a text, the contract makes of it too."""

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from clickscore.errors import ConfigError
from clickscore.scoring.contract import parse_ddl
from clickscore.storage.arrow_types import as_spark

VALID = [
    "a INT",
    "a int not null comment 'x'",
    "a INT NOT NULL COMMENT 'x', b STRING COMMENT \"y\", c DOUBLE NOT NULL",
    "a BOOLEAN, b TINYINT, c BYTE, d SMALLINT, e SHORT, f INT, g INTEGER, h BIGINT, i LONG, j FLOAT, k REAL, l DOUBLE",
    "a STRING, b DATE, c TIMESTAMP, d TIMESTAMP_LTZ",
    "a DECIMAL, b DECIMAL(5), c DECIMAL(5,2), d DEC(4, 1), e NUMERIC(38, 38)",
    "a: INT, b : STRING NOT NULL",
    "a ARRAY<STRING>, b ARRAY < ARRAY<INT> >, c MAP<STRING, ARRAY<DOUBLE>>, d MAP<INT, STRING>",
    "a STRUCT<b: INT NOT NULL COMMENT 'q', `c d` STRING, e: STRUCT<f: DATE NOT NULL COMMENT ''> NOT NULL>",
    "a ARRAY<STRUCT<b: MAP<STRING, STRUCT<c: INT NOT NULL COMMENT 'deep'>>>>, d STRUCT<>",
    "select INT, order INT, not INT, null INT, comment STRING COMMENT 'c', map INT, struct INT, timestamp TIMESTAMP",
    "`page url` INT, `a.b` INT, `a``b` INT, `名 字` INT, `Straße` STRING, 1a INT, _b INT, 1_000 INT",
    "a INT -- one\r\n, /* two /* nested */ */ b INT -- three",
    "a\u00a0INT,\n\n\tb\u2003INT",
    """a INT COMMENT 'it''s', b INT COMMENT "say ""x"" it''s", c INT COMMENT 'say ""x""', d INT COMMENT 'a' "b" """,
    r"a INT COMMENT '\0\b\n\r\t\Z\\\%\_\q\'\"\101\377\777\18 \u00e9\U0001F600\ud83d\ude00 \u12'",
    r"""a INT COMMENT r'\x\n', b INT COMMENT R"\'" """,
    "a INT COMMENT 'two\nlines, -- no comment ${x} \ufeff é名😀'",
    "a INT, A INT",
]
INVALID = [
    "a", "a INT,", "a INT b INT", "(a INT)", "a FOO", "a ARRAY", "a ARRAY<>", "a MAP<STRING>", "a STRUCT",
    "a STRUCT<b: INT,>", "a ARRAY<INT NOT NULL>", "a INT NOT", "a INT COMMENT", "a INT COMMENT x", "a INT COMMENT 'x",
    "a INT COMMENT 'x' NOT NULL", "a INT NOT NULL NOT NULL", "a INT NULL", "a INT DEFAULT 3", "a INT(3)",
    "a DECIMAL(39)", "a DECIMAL(5,6)", "a DECIMAL()", "a DECIMAL(5,-1)", "a VARCHAR", "a STRING(3)", "1 INT", "1L INT",
    "1e5 INT", "é INT", "a-b INT", "a.b INT", "a² INT", "a INT;", "a INT; b INT", "a INT /*+ h */", "a /* INT",
    "a\u0085INT", "a `INT`", "a INT COMMENT N'x'", "-- only a comment", "a INT GENERATED ALWAYS AS IDENTITY",
]  # fmt: skip


@pytest.mark.parametrize("text", VALID)
def test_fields_are_those_that_spark_reads(spark: SparkSession, text: str) -> None:
    assert as_spark(parse_ddl(text, "here")) == T.StructType.fromDDL(text)


@pytest.mark.parametrize("text", INVALID)
def test_text_that_spark_refuses_is_refused(spark: SparkSession, text: str) -> None:
    with pytest.raises(PySparkException):
        T.StructType.fromDDL(text)
    with pytest.raises(ConfigError):
        parse_ddl(text, "here")
