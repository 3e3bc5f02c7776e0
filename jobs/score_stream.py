"""Score clicks as they arrive and append them to the scored_clicks table.

Exit status: 0 done, or stopped by SIGTERM after the micro-batch in flight; 1 the stream failed, start it again; 2 the
wiring is wrong, and nothing was read or written.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console
from clickscore.errors import StreamError, WiringError


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done or stopped cleanly, 1 the stream failed, 2 it could not start and wrote nothing."""
    parser = job_parser(__doc__)
    gone = "continue where records were lost from the topics, and write the gaps to source_gaps"
    changed = "add columns to the tables and widen types, so that they take the clicks of the schema; then end"
    parser.add_argument("--accept-loss", action="store_true", help=gone)
    parser.add_argument("--plan", action="store_true", help="print what the run would do, and read no click")
    parser.add_argument("--apply-contract", action="store_true", help=changed)
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_score, arguments))


def _score(arguments: argparse.Namespace, config: Config) -> int:
    from pyspark.errors import StreamingQueryException

    from clickscore.session import build_classic_session
    from clickscore.spark_errors import failure_of
    from clickscore.stream import app
    from clickscore.stream.contract_changes import apply_contract

    if arguments.apply_contract:
        apply_contract(build_classic_session("clickscore-contract"), config, make_console())
        return 0
    if arguments.plan:
        session = partial(build_classic_session, "clickscore-plan")
        can_start = app.plan(config, session, make_console(), arguments.accept_loss)
        return 0 if can_start else WiringError.exit_status
    try:
        app.run(config, partial(build_classic_session, "clickscore"), make_console(), arguments.accept_loss)
    except StreamingQueryException as error:
        raise StreamError(
            f"the stream failed; start it again to resume from the checkpoint: {failure_of(error)}"
        ) from error
    return 0


if __name__ == "__main__":
    sys.exit(main())
