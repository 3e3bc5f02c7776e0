"""Join scored clicks with what happened: one row per session, visitor or click in the table outcomes; for a schedule.

May run alongside the stream, which it does not touch, and reads what was added since its last run. What a success is,
and how long to wait for it, is set under outcome in the configuration.
Exit status: 0 done; 1 it could not go on: start it again; if the message names an erasure, run that first; 2 wrong
configuration or table, nothing was written.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 2 wrong configuration or table."""
    parser = job_parser(__doc__)
    parser.add_argument(
        "--ended", action="store_true", help="no more clicks will come: units that are open become censored"
    )
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_join, arguments))


def _join(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.outcomes import joined
    from clickscore.session import build_classic_session

    session = partial(build_classic_session, "clickscore-outcomes")
    joined.run(config, session, make_console(), arguments.ended)
    return 0


if __name__ == "__main__":
    sys.exit(main())
