"""Score clicks as they arrive and append them to the scored_clicks table."""

import argparse
import sys
from functools import partial
from pathlib import Path

from pyspark.errors import StreamingQueryException

from clickscore.config.run import load
from clickscore.console import make_console
from clickscore.errors import ClickscoreError, StreamError
from clickscore.session import build_classic_session
from clickscore.spark_errors import failure_of
from clickscore.stream import app


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done or stopped cleanly, 1 the stream failed, 2 the wiring is wrong and nothing was touched."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the run, such as conf/local.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="override a key")
    gone = "go on where records are gone from the topics, and write the gaps to source_gaps"
    parser.add_argument("--accept-loss", action="store_true", help=gone)
    parser.add_argument("--plan", action="store_true", help="print what the run would do, and read no click")
    arguments = parser.parse_args(argv)
    try:
        config = load(arguments.config, arguments.set)
        if arguments.plan:
            make_session = partial(build_classic_session, "clickscore-plan")
            return 0 if app.plan(config, make_session, make_console(), arguments.accept_loss) else 2
        app.run(config, partial(build_classic_session, "clickscore"), make_console(), arguments.accept_loss)
    except ClickscoreError as error:
        print(error, file=sys.stderr)
        return 2
    except StreamError as error:
        print(error, file=sys.stderr)
        return 1
    except StreamingQueryException as error:
        print(f"the stream failed; start it again to go on where it was: {failure_of(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
