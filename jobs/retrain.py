"""Train a challenger, if enough outcomes are known and the champion's scores are off or clicks drift.

Changes nothing without --apply. The challenger learns from the scored clicks of the last weeks and is registered;
jobs/promote_model.py decides later whether it becomes the champion. Each decision is a row of the table
model_decisions, with its evidence. The bounds are set under retrain in the configuration. A job that was killed may be
started again: it trains no second challenger for the same decision.
Exit status: 0 done, also if no challenger is needed; 2 wrong configuration, model or table, or too few outcomes.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 2 wrong configuration, model or table, or too few outcomes."""
    parser = job_parser(__doc__)
    parser.add_argument("--now", action="store_true", help="train, whatever the evidence")
    parser.add_argument(
        "--apply", action="store_true", help="train, and record the decision; without it, only print the decision"
    )
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_retrain, arguments))


def _retrain(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.session import build_classic_session
    from clickscore.training import retraining

    session = partial(build_classic_session, "clickscore-retraining")
    retraining.run(config, session, make_console(), arguments.now, arguments.apply)
    return 0


if __name__ == "__main__":
    sys.exit(main())
