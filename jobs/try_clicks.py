"""Try a sample of records before a run: how many would be scored, and why the others would be rejected.

Needs no Spark and no Java, reads no checkpoint and writes nothing. The sample is a file of JSON lines (.gz as well),
standard input as -, or, without it, the newest records of the topics of the configuration. Where source.value says Avro
or Protobuf, each line of a file is a record in base64. With --model, a folder of a LightGBM Booster, the clicks are
scored too.
Exit status: 0 at least one record would be scored; 1 none would; 2 the configuration or the sample cannot be used.
"""

import argparse
import sys
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clickscore.cli import count, job_parser, run_job
from clickscore.config.run import Config
from clickscore.config.source import KafkaSource
from clickscore.console import make_console
from clickscore.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

MOST_RECORDS = 10_000
"""A look, not a run: enough to meet what is common, within a second."""


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 something would be scored, 1 nothing would, 2 the configuration or the sample cannot be used."""
    parser = job_parser(__doc__)
    what = "file of JSON lines, or of base64; - for standard input; without it, the newest records of the topics"
    parser.add_argument("sample", metavar="SAMPLE", nargs="?", help=what)
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="a LightGBM Booster as MLflow has logged it")
    parser.add_argument("--most", type=count, default=MOST_RECORDS, metavar="N", help="read at most N records (10,000)")
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_try, arguments))


def _try(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.samples.report import print_trial
    from clickscore.samples.trial import attempt
    from clickscore.scoring import load_booster, read_features
    from clickscore.scoring.contract import contract_of

    contract = contract_of(config.click, value=config.source.value)
    features = read_features(config.features, contract.click)
    model = load_booster(arguments.model) if arguments.model else None
    trial = attempt(_records(arguments, config), contract, features, model, datetime.now(timezone.utc))
    print_trial(make_console(), trial)
    return 0 if trial.accepted else 1


def _records(arguments: argparse.Namespace, config: Config) -> "pa.BinaryArray":
    from clickscore.samples.sample_file import read_sample
    from clickscore.samples.trial import from_base64
    from clickscore.sources.newest_records import read_newest

    if arguments.sample is not None:
        records = read_sample(arguments.sample, arguments.most)
        return records if config.source.value.format == "json" else from_base64(records, arguments.sample)
    if isinstance(config.source, KafkaSource):
        return read_newest(config.source, arguments.most)
    raise SourceError(f"the source is a {config.source.kind}: name a file with a sample, or - for standard input")


if __name__ == "__main__":
    sys.exit(main())
