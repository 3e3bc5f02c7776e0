"""Train a model on past clicks and register it; the first version of a model gets the configured alias."""

import argparse
import sys
from functools import partial
from pathlib import Path

from clickscore.config.run import load
from clickscore.console import make_console
from clickscore.errors import ClickscoreError
from clickscore.session import build_session
from clickscore.training import training


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 2 the wiring is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the run, such as conf/local.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="override a key")
    parser.add_argument("--once", action="store_true", help="do nothing if the alias points to a version already")
    parser.add_argument("--alias", help="let this alias point to the new version, such as challenger")
    arguments = parser.parse_args(argv)
    try:
        config = load(arguments.config, arguments.set)
        training.run(config, partial(build_session, "clickscore-training"), make_console(),
                     arguments.once, arguments.alias)  # fmt: skip
    except ClickscoreError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
