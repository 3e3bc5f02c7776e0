"""Check that every record of the source is in exactly one row, by micro-batch and by file or partition.

Reads the source, the checkpoint and the tables, and writes nothing; it may run alongside the stream.
Exit status: 0 every record is in exactly one row; 1 a record is missing, duplicated or unexplained, or a landing file
was never ingested; 2 wrong configuration, model, source or table.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 nothing found, 1 there are findings, 2 wrong configuration, model, source or table."""
    parser = job_parser(__doc__)
    parser.add_argument(
        "--from-batch", type=int, metavar="N", help="first micro-batch; by default, as far back as known"
    )
    parser.add_argument("--to-batch", type=int, metavar="N", help="last micro-batch; by default, the last one done")
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_audit, arguments))


def _audit(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.reconciliation import audit
    from clickscore.session import build_classic_session

    session = partial(build_classic_session, "clickscore-audit")
    is_clean = audit.run(config, session, make_console(), arguments.from_batch, arguments.to_batch)
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
