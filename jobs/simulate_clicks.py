"""Let visitors of a simulated shop click: into a landing folder or a Kafka topic, at a set rate or all at once."""

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Simulate clicks and say how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--to", choices=("folder", "kafka"), default="folder", help="where the clicks go")
    parser.add_argument("--servers", default="127.0.0.1:9092", help="the brokers; make kafka-up starts one")
    parser.add_argument("--topic", default="clicks", help="the topic; it is created if it does not exist")
    parser.add_argument("--folder", type=Path, default=Path("build/demo/landing"), help="where the files appear")
    parser.add_argument("--clicks", type=int, help="how many; without it, a live feed never ends", default=None)
    parser.add_argument("--rate", type=float, help="clicks per second as they happen; without it, the past at once")
    parser.add_argument("--start", type=_day, default="2026-03-01", help="first day of the past")
    parser.add_argument("--days", type=float, default=7.0, help="days of the past that the clicks are spread over")
    parser.add_argument("--clicks-per-file", type=int, default=10_000, help="clicks in each file of the past")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same clicks")
    parser.add_argument("--malformed", type=float, default=0.0, help="share of records that are not valid clicks")
    parser.add_argument("--duplicate", type=float, default=0.0, help="share of clicks that are duplicated")
    parser.add_argument("--late", type=float, default=0.0, help="share of clicks that come late")
    parser.add_argument("--poison", type=float, default=0.0, help="share of clicks that some models fail on")
    parser.add_argument("--shift", type=float, default=0.0, help="share of visits from a campaign that is new")
    parser.add_argument("--gzip", action="store_true", help="compress the files")
    a = parser.parse_args(argv)
    if a.rate is None and a.clicks is None:
        parser.error("give --clicks, or --rate for a live feed")
    began = time.monotonic()
    try:
        records = sum(_simulated(a))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    if not records:
        print(f"{a.folder} holds these clicks of seed {a.seed} already; nothing written")
        return 0
    place = f"confirmed by {a.servers}" if a.to == "kafka" else f"in {a.folder}"
    print(f"{records:,} records {place}, {records / (time.monotonic() - began):,.0f} a second")
    return 0


def _simulated(a: argparse.Namespace) -> Iterator[int]:
    """Write the clicks, and yield how many records each step has written."""
    from shopsim import feed
    from shopsim.landing import write_history, write_live
    from shopsim.records import Faults

    faults, start_ms = Faults(a.malformed, a.duplicate, a.late, a.poison), int(a.start.timestamp() * 1000)
    past, live = (a.clicks, a.clicks_per_file, start_ms, a.days, a.seed, faults), (a.clicks, a.rate, a.seed, faults)
    if a.to == "folder" and a.rate is None:
        return write_history(a.folder, *past, a.gzip, shift=a.shift)
    if a.to == "folder":
        return write_live(a.folder, *live, a.gzip, shift=a.shift)
    from shopsim import topics

    records = feed.past(*past, shift=a.shift) if a.rate is None else feed.live(*live, shift=a.shift)
    return topics.send(records, a.servers, a.topic)


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


if __name__ == "__main__":
    sys.exit(main())
