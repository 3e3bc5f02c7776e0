"""Score rejected clicks after all, where today's contract and model accept them, and mark them as resolved.

Correct the contract, the features or the model first. Running it twice, or again after a crash, adds nothing twice; the
stream may run meanwhile. Clicks that fail again stay, with the new reason.
Exit status: 0 done; 1 it could not continue, start it again; 2 wrong configuration, model or table.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import job_parser, run_job, utc
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 1 it could not continue, 2 wrong configuration, model or table."""
    parser = job_parser(__doc__)
    parser.add_argument("--reason", action="append", default=[], metavar="CODE", help="only these; may be repeated")
    parser.add_argument("--since", type=utc, metavar="TIME", help="only records received then or later; ISO 8601, UTC")
    parser.add_argument("--until", type=utc, metavar="TIME", help="only records received earlier")
    source = "only records of these files, or topics and partitions; * stands for any characters, ? for one"
    parser.add_argument("--source", metavar="PATTERN", help=source)
    parser.add_argument("--dry-run", action="store_true", help="show what would become of them, by reason")
    arguments = parser.parse_args(argv)
    if arguments.since and arguments.until and arguments.since >= arguments.until:
        parser.error("--until must be later than --since")
    return run_job(arguments, partial(_replay, arguments))


def _replay(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.reconciliation import replay
    from clickscore.reconciliation.rescoring import Selection
    from clickscore.session import build_classic_session

    selection = Selection(tuple(arguments.reason), arguments.since, arguments.until, arguments.source)
    session = partial(build_classic_session, "clickscore-replay")
    replay.run(config, session, make_console(), selection, arguments.dry_run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
