"""Let the challenger take the champion's place, if the gate in the configuration holds over clicks of both.

By default this is a dry run: the evidence is printed and logged to the challenger's MLflow run, and nothing moves.
Exit status: 0 the gate holds, or what was asked for is done; 1 the gate does not hold; 2 wrong
configuration, model or table.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import job_parser, run_job, utc
from clickscore.config.run import Config
from clickscore.console import make_console, warn
from clickscore.errors import WiringError


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 the gate holds or it is done, 1 the gate does not hold, 2 it could not start."""
    parser = job_parser(__doc__)
    parser.add_argument("--since", type=utc, metavar="TIME", help="only clicks scored then or later; ISO 8601, UTC")
    parser.add_argument("--until", type=utc, metavar="TIME", help="only clicks scored earlier")
    parser.add_argument("--dry-run", action=argparse.BooleanOptionalAction, default=True, help="move nothing (default)")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--rollback", action="store_true", help="move the alias back to where it was; checks no gate")
    other.add_argument(
        "--pin", metavar="URI", help="only record digest, answers and baseline of a version; needs no --no-dry-run"
    )
    parser.add_argument("--to", metavar="VERSION", help="with --rollback: the version to move back to")
    arguments = parser.parse_args(argv)
    if arguments.to and not arguments.rollback:
        parser.error("--to needs --rollback")
    return run_job(arguments, partial(_promote, arguments))


def _promote(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.registry import promotion
    from clickscore.session import build_session
    from clickscore.training import reference

    console, is_dry_run = make_console(), arguments.dry_run
    session = partial(build_session, "clickscore-promotion")
    if arguments.pin:
        promotion.pin(config, arguments.pin, console)
        try:
            reference.keep_reference(config, arguments.pin, session, console)
        except WiringError as error:  # the version is pinned, and scores without a baseline
            warn(console, f"{arguments.pin} gets no baseline, so its drift cannot be measured: {error}")
        return 0
    if arguments.rollback:
        promotion.roll_back(config, console, arguments.to, is_dry_run)
        return 0
    return 0 if promotion.run(config, session, console, arguments.since, arguments.until, is_dry_run) else 1


if __name__ == "__main__":
    sys.exit(main())
