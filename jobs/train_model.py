"""Train a model on past clicks and register it; the first version of a model gets the configured alias.

Exit status: 0 done; 2 wrong configuration, model, source or table, and no version was registered.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 2 wrong configuration, model, source or table."""
    parser = job_parser(__doc__)
    parser.add_argument("--once", action="store_true", help="do nothing if the alias points to a version already")
    parser.add_argument("--alias", help="let this alias point to the new version, such as challenger")
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_train, arguments))


def _train(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.session import build_session
    from clickscore.training import training

    session = partial(build_session, "clickscore-training")
    training.run(config, session, make_console(), arguments.once, arguments.alias)
    return 0


if __name__ == "__main__":
    sys.exit(main())
