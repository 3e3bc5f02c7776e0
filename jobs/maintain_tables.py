"""Compact the tables and delete files that no recent version needs; for a schedule, such as every night.

May run alongside the stream. Time travel reaches back as far as --retain-hours, and a stream that was stopped in the
middle of a micro-batch should be started again within them.
Exit status: 0 done; 2 wrong configuration or table, or Delta refuses.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console

WEEK_H = 168.0
"""Delta's own limit; fewer hours are refused, as a reader may still use a file."""


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 2 wrong configuration or table, or Delta refuses."""
    parser = job_parser(__doc__)
    parser.add_argument("--retain-hours", type=float, default=WEEK_H, metavar="H", help="hours to keep at least (168)")
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_maintain, arguments))


def _maintain(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.session import build_classic_session
    from clickscore.storage import maintenance

    session = partial(build_classic_session, "clickscore-maintenance")
    maintenance.run(config, session, make_console(), arguments.retain_hours)
    return 0


if __name__ == "__main__":
    sys.exit(main())
