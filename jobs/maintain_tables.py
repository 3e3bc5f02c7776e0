"""Compact the tables and delete files that no recent version needs; for a schedule, such as every night.

May run beside the stream. Time travel reaches back as far as --retain-hours, and a stream that was stopped in the
middle of a micro-batch should be started again within them.
Exit status: 0 done; 2 the wiring is wrong, or Delta refuses.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from clickscore.config.run import load
from clickscore.console import make_console
from clickscore.errors import ClickscoreError
from clickscore.session import build_classic_session
from clickscore.storage import maintenance

WEEK_H = 168.0
"""Delta's own limit; fewer hours are refused, as a reader may still be at work on a file."""


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 2 the wiring is wrong, or Delta refuses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the run, such as conf/local.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="override a key")
    parser.add_argument("--retain-hours", type=float, default=WEEK_H, metavar="H", help="keep at least so much (168)")
    a = parser.parse_args(argv)
    try:
        config = load(a.config, a.set)
        maintenance.run(
            config, partial(build_classic_session, "clickscore-maintenance"), make_console(), a.retain_hours
        )
    except ClickscoreError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
