"""Remove old rows, compact the tables, delete files and commits that no recent version needs, move landing files away.

For a schedule, such as every night; may run alongside the stream. Old rows are removed if retention in the
configuration says so, with an entry in the table erasures for the audit; a run that was killed is finished by the next.
Time travel reaches back as far as --retain-hours, and a stream that was stopped in the middle of a micro-batch should
be started again within that time. Commits leave the log of a table as its property delta.logRetentionDuration says.
--archive first audits the whole landing folder, and moves nothing unless each record is in exactly one row. --dry-run
says what would be done, and why.
Exit status: 0 done; 1 the audit has found something, and no landing file was moved, or old rows could not be removed
beside the stream; 2 wrong configuration, source or table, or Delta refuses.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import job_parser, run_job
from clickscore.config.fields import interval_ms
from clickscore.config.run import Config
from clickscore.console import make_console

WEEK_H = 168.0
"""Delta's own limit; fewer hours are refused, as a reader may still use a file."""


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 1 the audit has findings, 2 wrong configuration, source or table, or Delta refuses."""
    parser = job_parser(__doc__)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    parser.add_argument("--retain-hours", type=float, default=WEEK_H, metavar="H", help="hours to keep at least (168)")
    parser.add_argument(
        "--time-limit",
        type=_seconds,
        metavar="INTERVAL",
        help='start no further table after this time, such as "30 minutes"',
    )
    parser.add_argument(
        "--archive",
        metavar="FOLDER",
        help="move the landing files that the stream has read into it, if an audit passes",
    )
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_maintain, arguments))


def _seconds(text: str) -> float:
    try:
        return interval_ms(text) / 1000
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _maintain(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.erasure import retention
    from clickscore.reconciliation import archive
    from clickscore.session import build_classic_session
    from clickscore.storage import maintenance

    session, console = partial(build_classic_session, "clickscore-maintenance"), make_console()
    folder = arguments.archive
    is_clean = folder is None or archive.run(config, session, console, folder, arguments.dry_run)
    retention.run(config, session, console, arguments.dry_run)
    maintenance.run(config, session, console, arguments.retain_hours, arguments.dry_run, arguments.time_limit)
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
