"""Write one HTML page about a run: pace, losses, rejections, models and drift, from its tables.

Reads the tables with delta-rs and DuckDB, without Spark and Java, and changes nothing; it may run alongside the stream.
The page has aggregates and masked examples only, and opens without a network.
Exit status: 0 written; 2 the configuration, a table or the file cannot be used, nothing was written.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from clickscore.cli import add_storage_option, job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 the page is written, 2 nothing is."""
    parser = job_parser(__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the page; one that is there is replaced"
    )
    parser.add_argument("--by", metavar="COLUMN", help="compare scores by this column of scored_clicks, too: device")
    add_storage_option(parser)
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_report, arguments))


def _report(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.report.report import write_report
    from clickscore.report.storage_options import parse

    size = write_report(config, arguments.out, parse(arguments.storage_option), arguments.by)
    make_console().print(f"{arguments.out}: {size / 1e6:.1f} MB, opens in any browser", highlight=False, markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
