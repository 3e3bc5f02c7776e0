"""Let the challenger take the champion's place, if the gate in the configuration holds over clicks of both.

By default this is a dry run: the evidence is printed and logged to the challenger's MLflow run, and nothing moves.
Exit status: 0 the gate holds, or what was asked for is done; 1 the gate does not hold; 2 the wiring is wrong.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from clickscore.cli import utc
from clickscore.config.run import load
from clickscore.console import make_console
from clickscore.errors import ClickscoreError
from clickscore.registry import promotion
from clickscore.session import build_session


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 the gate holds or it is done, 1 the gate does not hold, 2 the wiring is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the run, such as conf/local.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="override a key")
    parser.add_argument("--since", type=utc, metavar="TIME", help="only clicks scored then or later; ISO 8601, UTC")
    parser.add_argument("--until", type=utc, metavar="TIME", help="only clicks scored earlier")
    parser.add_argument("--dry-run", action=argparse.BooleanOptionalAction, default=True, help="move nothing (default)")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--rollback", action="store_true", help="move the alias back to where it was; asks no gate")
    other.add_argument("--pin", metavar="URI", help="only write down the digest of a version, at once")
    parser.add_argument("--to", metavar="VERSION", help="with --rollback: the version to move back to")
    a = parser.parse_args(argv)
    if a.to and not a.rollback:
        parser.error("--to goes with --rollback")
    console = make_console()
    try:
        config = load(a.config, a.set)
        if a.pin:
            promotion.pin(config, a.pin, console)
        elif a.rollback:
            promotion.roll_back(config, console, a.to, a.dry_run)
        else:
            session = partial(build_session, "clickscore-promotion")
            return 0 if promotion.run(config, session, console, a.since, a.until, a.dry_run) else 1
    except ClickscoreError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
