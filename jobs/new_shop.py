"""Make click schema, features and configuration from a sample of records, and say what was guessed.

Needs no Spark and no Java, and asks nothing. The sample is a file of JSON lines (.gz as well), or standard input as -.
Records of Snowplow, Segment, RudderStack, GA4 and PostHog get the ready-made contract of conf/trackers to begin with.
Exit status: 0 written, and at least one record of the sample would be scored; 1 written, but none would; 2 the sample
or the folder cannot be used, and nothing was written.
"""

import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path

from clickscore.cli import count, run_guarded
from clickscore.console import make_console

MOST_RECORDS = 10_000
"""Enough to meet what is common, within some seconds."""
CONTRACTS = Path(__file__).parents[1] / "conf" / "trackers"


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 something would be scored, 1 nothing would, 2 the sample or the folder cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sample", metavar="SAMPLE", help="file of JSON lines, or - for standard input")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new, such as conf/shops/mine")
    parser.add_argument("--most", type=count, default=MOST_RECORDS, metavar="N", help="read at most N records (10,000)")
    arguments = parser.parse_args(argv)
    return run_guarded(lambda: _make(arguments))


def _make(arguments: argparse.Namespace) -> int:
    from clickscore.samples.report import print_trial
    from clickscore.samples.sample_file import read_sample
    from clickscore.shops import shop
    from clickscore.shops.contract_files import CONFIG

    folder, now, console = arguments.out, datetime.now(timezone.utc), make_console()
    shop.check_folder(folder)
    records = read_sample(arguments.sample, arguments.most)
    proposal = shop.propose(records, arguments.sample, folder, CONTRACTS, now)
    shop.write(folder, proposal.files)
    for sentence in proposal.sentences:
        console.print(sentence, highlight=False, markup=False)
    trial = shop.try_sample(folder / CONFIG, records, now)
    print_trial(console, trial)
    for sentence in shop.next_steps(folder, arguments.sample):
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    return 0 if trial.accepted else 1


if __name__ == "__main__":
    sys.exit(main())
