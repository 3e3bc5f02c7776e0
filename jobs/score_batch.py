"""Score a bounded range of clicks: backfill what is missing, or score clicks again and compare two versions.

Without --rescore and --compare, records that the stream never reads are scored into its tables, beside the running
stream; running it again, or after a crash, adds nothing twice. --rescore scores clicks of scored_clicks again into a
table of its own; --compare prints how the scores differ.
Exit status: 0 done; 1 it could not continue, start it again; 2 wrong configuration, model, table or range.
"""

import argparse
import sys
from functools import partial

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 1 it could not continue, 2 wrong configuration, model, table or range."""
    parser = job_parser(__doc__)
    version = parser.add_mutually_exclusive_group()
    version.add_argument("--version", type=int, metavar="N", help="version that scores; by default, that of model.uri")
    version.add_argument("--alias", metavar="NAME", help="alias of the version that scores")
    bound = "of the range: a time, ISO 8601 in UTC, or offsets as JSON"
    parser.add_argument("--from", dest="first", metavar="BOUND", help=f"start {bound}")
    parser.add_argument("--to", dest="last", metavar="BOUND", help=f"end {bound}, exclusive")
    parser.add_argument("--files", metavar="FOLDER", help="backfill the files of a folder beside the landing folder")
    parser.add_argument("--rescore", action="store_true", help="score clicks of scored_clicks again")
    parser.add_argument("--into", metavar="TABLE", help="table of the old and new scores, path or catalog name")
    parser.add_argument("--compare", action="store_true", help="print how old and new scores differ")
    parser.add_argument("--by", metavar="COLUMN", help="compare by this column of scored_clicks, too")
    arguments = parser.parse_args(argv)
    if arguments.rescore and not arguments.into:
        parser.error("--rescore needs --into TABLE")
    if (arguments.into or arguments.by) and not (arguments.rescore or arguments.compare):
        parser.error("--into and --by go with --rescore or --compare")
    if arguments.files and (arguments.rescore or arguments.compare):
        parser.error("--files is for a backfill; --rescore and --compare take their clicks from scored_clicks")
    return run_job(arguments, partial(_score, arguments))


def _score(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.batch import backfill, rescore
    from clickscore.batch.missing import Range
    from clickscore.batch.ranges import as_bound, as_time
    from clickscore.batch.rescoring import Period
    from clickscore.batch.wiring import with_version
    from clickscore.session import build_classic_session

    config = with_version(config, arguments.version, arguments.alias)
    session, console = partial(build_classic_session, "clickscore-batch"), make_console()
    first, last = as_bound("--from", arguments.first), as_bound("--to", arguments.last)
    if not arguments.rescore and not arguments.compare:
        backfill.run(config, session, console, Range(arguments.files, first, last))
        return 0
    period = Period(as_time("--from", first), as_time("--to", last))
    asked = rescore.Asked(period, arguments.into, arguments.compare, arguments.by)
    (rescore.compare if arguments.into and not arguments.rescore else rescore.run)(config, session, console, asked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
