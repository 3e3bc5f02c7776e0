"""Prove that every record of the source is in exactly one row, micro-batch by micro-batch and file by file.

Reads the source, the checkpoint and the tables, and writes nothing; it may run beside the stream.
Exit status: 0 every record is in exactly one row; 1 something is missing, twice or unexplained, or a landing file was
never ingested; 2 the wiring is wrong.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from clickscore.config.run import load
from clickscore.console import make_console
from clickscore.errors import ClickscoreError
from clickscore.reconciliation import audit
from clickscore.session import build_classic_session


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 nothing found, 1 there are findings, 2 the wiring is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the run, such as conf/local.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="override a key")
    parser.add_argument(
        "--from-batch", type=int, metavar="N", help="first micro-batch; by default, as far back as known"
    )
    parser.add_argument("--to-batch", type=int, metavar="N", help="last micro-batch; by default, the last one done")
    a = parser.parse_args(argv)
    try:
        config = load(a.config, a.set)
        session = partial(build_classic_session, "clickscore-audit")
        return 0 if audit.run(config, session, make_console(), a.from_batch, a.to_batch) else 1
    except ClickscoreError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
