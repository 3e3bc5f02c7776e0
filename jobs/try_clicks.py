"""Try a sample of records before a run: how many would be scored, and why the others would be rejected.

Needs no Spark and no Java, reads no checkpoint and writes nothing. The sample is a file of JSON lines (.gz as well), or
standard input as -. With --model, a folder of a LightGBM Booster, the clicks are scored too.
Exit status: 0 at least one record would be scored; 1 none would; 2 the configuration or the sample cannot be used.
"""

import argparse
import gzip
import sys
import zlib
from datetime import datetime, timezone
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console
from clickscore.errors import SourceError

MOST_RECORDS = 10_000
"""A look, not a run: enough to meet what is common, within a second."""


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 something would be scored, 1 nothing would, 2 the configuration or the sample cannot be used."""
    parser = job_parser(__doc__)
    parser.add_argument("sample", metavar="SAMPLE", help="file of JSON lines, or - for standard input")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="a LightGBM Booster as MLflow has logged it")
    parser.add_argument("--most", type=int, default=MOST_RECORDS, metavar="N", help="read so many records (10,000)")
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_try, arguments))


def _try(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.samples.report import print_trial
    from clickscore.samples.trial import attempt, lines
    from clickscore.scoring import load_booster, read_features
    from clickscore.scoring.contract import contract_of

    contract = contract_of(config.click)
    features = read_features(config.features, contract.click)
    model = load_booster(arguments.model) if arguments.model else None
    try:
        with _opened(arguments.sample) as file:
            records = lines(islice(file, arguments.most))
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"the sample {arguments.sample} cannot be read: {error}") from None
    trial = attempt(records, contract, features, model, datetime.now(timezone.utc))
    print_trial(make_console(), trial)
    return 0 if trial.accepted else 1


def _opened(sample: str) -> BinaryIO:
    if sample == "-":
        return sys.stdin.buffer
    return cast("BinaryIO", gzip.open(sample)) if sample.endswith(".gz") else Path(sample).open("rb")


if __name__ == "__main__":
    sys.exit(main())
