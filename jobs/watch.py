"""Show a running stream on a terminal, every second: rate, lag, scored, rejected, model, last micro-batch.

Reads the tables with delta-rs, without Spark and Java, and changes nothing. Where the configuration has `health`, it
asks the job as well. Without a terminal, it prints a line every second. Ctrl-C and SIGTERM end it.
Exit status: 0 ended; 2 the configuration cannot be used.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import add_storage_option, job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 it was ended, 2 the configuration cannot be used."""
    parser = job_parser(__doc__)
    parser.add_argument("--once", action="store_true", help="print one line, and end")
    add_storage_option(parser)
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_watch, arguments))


def _watch(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.report.storage_options import parse
    from clickscore.watch.watch import run

    run(config, parse(arguments.storage_option), make_console(), arguments.once)
    return 0


if __name__ == "__main__":
    sys.exit(main())
