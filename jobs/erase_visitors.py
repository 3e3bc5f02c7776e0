"""Erase visitors: find their rows in the tables of a run, take them out, and prove it; for requests of data subjects.

Changes nothing without --apply. The table erasures keeps what was erased for whom, with a keyed hash of each id; with
it the audit stays green. When the retention of the tables has passed, --finish deletes the old files, looks for the ids
in all live ones, and writes a certificate. --export writes down what is held about the visitors instead. The stream may
run meanwhile; an erasure that was killed is finished by the next one with the same ids.
Exit status: 0 done; 1 it could not continue, or cannot be finished yet; 2 wrong configuration, ids or table.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 done, 1 it could not continue or cannot be finished yet, 2 wrong configuration, ids or table."""
    parser = job_parser(__doc__)
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--ids", type=Path, metavar="FILE", help="ids of visitors, one a line")
    who.add_argument(
        "--id", metavar="ID", help="one id; other users of this machine can see it, and your shell may record it"
    )
    parser.add_argument("--reference", metavar="TEXT", help="who asked, in your words, for the table erasures")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--apply", action="store_true", help="erase the rows; without it, only count them")
    what.add_argument("--finish", action="store_true", help="delete old files, prove that no live one has an id")
    what.add_argument(
        "--export", type=Path, metavar="FILE", help="write all rows of the visitors as JSON, erase nothing"
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="where --finish writes the certificate, as JSON"
    )
    arguments = parser.parse_args(argv)
    if arguments.certificate and not arguments.finish:
        parser.error("--certificate needs --finish")
    return run_job(arguments, partial(_erase, arguments))


def _erase(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.erasure import access, certificate, erasure
    from clickscore.erasure.visitors import read_ids
    from clickscore.session import build_classic_session

    given = read_ids(arguments.ids) if arguments.ids else {arguments.id: "--id"}
    session = partial(build_classic_session, "clickscore-erasure")
    console = make_console()
    if arguments.export:
        access.run(config, session, console, given, arguments.export)
    elif arguments.finish:
        return 0 if certificate.run(config, session, console, given, arguments.certificate) else 1
    else:
        erasure.run(config, session, console, given, arguments.reference, arguments.apply)
    return 0


if __name__ == "__main__":
    sys.exit(main())
