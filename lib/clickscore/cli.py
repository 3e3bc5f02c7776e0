"""What every job does with its command line: the common arguments, the configuration, errors as an exit status.

A job's parser is built before Spark is imported, so ``--help`` works, and a wrong argument is reported, without it.
"""

import argparse
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from clickscore.config.run import Config, load
from clickscore.errors import ClickscoreError, WiringError

_ENGINE = frozenset({"pyspark", "py4j", "delta", "pyarrow", "pandas", "numpy"})
"""Packages that the wheel does not declare: a cluster brings its own."""
_REPORT = frozenset({"deltalake", "altair", "vl_convert", "jinja2"})
"""Packages of the report, which nobody else needs."""
_SERVICE = frozenset({"fastapi", "starlette", "uvicorn"})
"""Packages of the microservice, which nobody else needs."""


def job_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the arguments that every job takes: ``--config`` and ``--set``.

    Args:
        description: the job's docstring.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        metavar="FILE",
        help="the configuration of the run, such as conf/local.yaml",
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="override a key")
    return parser


def add_storage_option(parser: argparse.ArgumentParser) -> None:
    """Let a job that reads the tables without Spark take ``--storage-option``, as often as needed."""
    parser.add_argument(
        "--storage-option", action="append", default=[], metavar="NAME=VALUE",
        help="option of the tables' storage, as delta-rs names it, such as AWS_REGION=eu-central-1; VALUE may be "
        "env:NAME, file:PATH or secret:scope/key",
    )  # fmt: skip


def run_job(arguments: argparse.Namespace, job: Callable[[Config], int]) -> int:
    """Run a job with its configuration and return its exit status; an error becomes one message on stderr.

    Args:
        arguments: what ``job_parser`` has parsed.
        job: does the work; returns 0 or 1.
    """
    return run_guarded(lambda: job(load(arguments.config, arguments.set)))


def run_guarded(job: Callable[[], int]) -> int:
    """Run a job and return its exit status; an error becomes one message on stderr.

    Args:
        job: does the work; returns 0 or 1.
    """
    try:
        return job()
    except ClickscoreError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _SERVICE:
            remedy = "install what the service needs with pip install 'clickscore[service]'"
        elif missing in _REPORT:
            remedy = "install what the report needs with pip install 'clickscore[report]'"
        elif missing in _ENGINE:
            remedy = (
                "run the job with the cluster's spark-submit, or install Spark on this machine with "
                "pip install 'clickscore[spark]'"
            )
        else:
            raise
        print(f"the Python package {error.name} is missing: {remedy}", file=sys.stderr)
        return WiringError.exit_status


def count(text: str) -> int:
    """Return a whole number of 1 or more.

    Raises:
        ArgumentTypeError: if the text is none.
    """
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, found {text!r}")
    return int(text)


def utc(text: str) -> datetime:
    """Return a time in ISO 8601; without a zone it is UTC.

    Raises:
        ValueError: if the text is not such a time.
    """
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"expected a time within the years 1 to 9999 of UTC, found {text}") from None
