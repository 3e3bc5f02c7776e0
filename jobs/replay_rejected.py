"""Score rejected clicks after all, where today's contract and model accept them, and mark them as resolved.

Mend the contract, the features or the model first. To run it twice, or again after a crash, adds nothing twice; the
stream may run meanwhile. Clicks that fail again stay, with the new reason.
Exit status: 0 done; 1 it could not go on, start it again; 2 the wiring is wrong and nothing was changed.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from clickscore.cli import utc
from clickscore.config.run import load
from clickscore.console import make_console
from clickscore.errors import ClickscoreError, ReplayError
from clickscore.reconciliation import replay
from clickscore.reconciliation.rescoring import Selection
from clickscore.session import build_classic_session


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 1 it could not go on, 2 the wiring is wrong and nothing was changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the run, such as conf/local.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="override a key")
    parser.add_argument("--reason", action="append", default=[], metavar="CODE", help="only these; may be repeated")
    parser.add_argument("--since", type=utc, metavar="TIME", help="only records received then or later; ISO 8601, UTC")
    parser.add_argument("--until", type=utc, metavar="TIME", help="only records received earlier")
    source = "only records of these files, or topics and partitions; * stands for any characters, ? for one"
    parser.add_argument("--source", metavar="PATTERN", help=source)
    parser.add_argument("--dry-run", action="store_true", help="show what would become of them, by reason")
    a = parser.parse_args(argv)
    if a.since and a.until and a.since >= a.until:
        parser.error("--until must be later than --since")
    selection = Selection(tuple(a.reason), a.since, a.until, a.source)
    try:
        config = load(a.config, a.set)
        replay.run(config, partial(build_classic_session, "clickscore-replay"), make_console(), selection, a.dry_run)
    except ClickscoreError as error:
        print(error, file=sys.stderr)
        return 2
    except ReplayError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
