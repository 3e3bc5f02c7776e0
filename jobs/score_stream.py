"""Score clicks as they arrive and append them to the scored_clicks table."""

import argparse
import sys
from functools import partial
from pathlib import Path

from pyspark.errors import StreamingQueryException

from clickscore import app
from clickscore.config import load
from clickscore.errors import ClickscoreError
from clickscore.progress import make_console
from clickscore.session import build_session


def main() -> int:
    """Run the job; 0 done or stopped cleanly, 1 the stream failed, 2 the wiring is wrong and nothing was touched."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the run, such as conf/local.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="override a key")
    arguments = parser.parse_args()
    try:
        app.run(load(arguments.config, arguments.set), partial(build_session, "clickscore"), make_console())
    except ClickscoreError as error:
        print(error, file=sys.stderr)
        return 2
    except StreamingQueryException as error:
        message, _, _ = str(error).partition("\n=== Streaming Query ===")
        print(f"the stream failed; start it again to go on where it was: {message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
