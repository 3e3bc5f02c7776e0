"""The Spark session: sets what correct results need, and nothing that a cluster should own."""

import logging
import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.errors import ConfigError
from clickscore.spark_errors import SPARK_ERRORS, engine_words


def build_session(app_name: str) -> SparkSession:
    """Return the active session, or a new one with the settings of ``spark-defaults.conf``, UTC and no ANSI mode.

    Raises:
        ConfigError: if the catalog of tables cannot be loaded, as the jars of Delta Lake are missing.
    """
    # What these log is raised as well, and printed by the job; a second time, as JSON, it would bury the message.
    for chatty in ("py4j", "DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    # Spark would start its Python workers with whatever python3 comes first on the PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings: dict[str, bool | float | int | str | None] = {
        "spark.sql.session.timeZone": "UTC",
        # A feature that cannot be computed, such as a division by zero, is null. In ANSI mode, Spark's default, it
        # would end the task, and with it the stream, for one odd click.
        "spark.sql.ansi.enabled": "false",
    }
    session = SparkSession.builder.appName(app_name).config(map=settings).getOrCreate()
    try:
        session.catalog.currentCatalog()  # Spark would load it with the first table, in the middle of a job
    except SPARK_ERRORS as error:
        session.stop()
        raise ConfigError("the session", [_without_catalog(engine_words(error))]) from None
    return session


def _without_catalog(found: str) -> str:
    return (
        f"expected the catalog of Delta Lake, whose jars are in build/jars/spark of the current folder, {Path.cwd()}; "
        f"found {found}. Run make setup, and start the job in the folder of the repository; on a cluster, give "
        f"spark-submit the package io.delta:delta-spark"
    )


def build_classic_session(app_name: str) -> SparkSession:
    """Return a session as ``build_session`` does, for what Spark Connect cannot do.

    Models travel as broadcast variables, and a micro-batch is a function of this process that sees its models, its
    tables and its clock: a Spark Connect client has no broadcast variables, and sends such functions away.

    Raises:
        ConfigError: if the session is one of Spark Connect.
    """
    session = build_session(app_name)
    if type(session).__module__.startswith("pyspark.sql.connect."):
        session.stop()
        found = (
            "it goes through a Spark Connect server (spark.remote, SPARK_REMOTE, or Databricks compute that is shared "
            "or serverless); expected one whose driver is this process, as spark-submit makes it, or a cluster with "
            "dedicated access on Databricks. train_model and promote_model work through Spark Connect"
        )
        raise ConfigError("the session", [found])
    return session
