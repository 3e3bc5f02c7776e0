"""Compare every shape with the stream: ``python -m shopsim.shapes``, after all of them have scored the same clicks.

Asks the service and scores with the exported folder itself; the other shapes have left tables. Prints how many records
have another verdict or another score than in the tables of the stream. Exit status: 0 all shapes agree, 1 one does not.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from clickscore import embedded
from shopsim.outcomes import Outcome, compare, of_scorer, of_service, of_tables

WIDTH = 120
ONNX_TOLERANCE = 1e-6
"""How far the scores of ONNX Runtime, which adds up the same trees in another order, may be from those of LightGBM."""


class Comparison:
    """The table that is printed: one row for each shape."""

    def __init__(self, expected: Sequence[Outcome]) -> None:
        """Begin with what the stream has made of the records."""
        self._expected, self.is_alike = expected, True
        title = f"{len(expected):,} records in every shape, compared with the stream"
        self.table = Table("shape", "scored", "rejected", "other verdicts", "other scores", "worst", title=title)
        self.table.add_row("stream", *_counts(expected))

    def add(self, shape: str, found: Iterable[Outcome], tolerance: float = 0.0) -> None:
        """Add a shape; scores that are within the tolerance count, and are no difference."""
        outcomes = list(found)
        agreement = compare(self._expected, outcomes)
        self.is_alike = self.is_alike and not agreement.verdicts and agreement.worst <= tolerance
        counts = f"{agreement.verdicts:,}", f"{agreement.scores:,}"
        self.table.add_row(shape, *_counts(outcomes), *counts, f"{agreement.worst:.1g}" if agreement.scores else "0")


def _counts(outcomes: Iterable[Outcome]) -> tuple[str, str]:
    counts = Counter(outcome.reason is None for outcome in outcomes)
    return f"{counts[True]:,}", f"{counts[False]:,}"


def landed(folder: Path) -> list[bytes]:
    """Return the records of a landing folder; without blank lines, which the service takes for none."""
    files = sorted(folder.glob("*.jsonl"))
    return [line for file in files for line in file.read_bytes().split(b"\n") if line.strip()]


def of_folder(folder: Path, records: Sequence[bytes], click_id: str, onnx: bool = False) -> Iterator[Outcome]:
    """Score with an exported folder, in this process."""
    scorer = embedded.load(folder, onnx=onnx)

    def score(records: Sequence[bytes]) -> Iterator[tuple[str | None, str | None, float | None]]:
        for outcome in scorer.score_many(records):
            yield outcome.reason, outcome.detail, outcome.score

    return of_scorer(score, records, click_id)


def main() -> int:
    """Compare, and print the table; 0 all shapes agree, 1 one does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="the run of the stream, such as conf/shapes.yaml")
    parser.add_argument("--service", metavar="URL", help="the address of /score of a service that runs")
    parser.add_argument("--folder", type=Path, help="what jobs/export_model.py has written")
    parser.add_argument("--tables", action="append", nargs=2, default=[], metavar=("SHAPE", "FOLDER"),
                        help="a shape that has left scored_clicks and rejected_clicks in a folder")  # fmt: skip
    arguments = parser.parse_args()
    run: dict[str, Any] = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
    click_id = run["click"]["id"]
    records = landed(Path(run["source"]["path"]))
    of_stream = of_tables(run["output"]["scored"], run["output"]["rejected"], click_id)
    comparison = Comparison([outcome for outcome in of_stream if outcome.record.strip()])
    for shape, place in arguments.tables:
        found = of_tables(f"{place}/scored_clicks", f"{place}/rejected_clicks", click_id)
        comparison.add(shape, (outcome for outcome in found if outcome.record.strip()))
    if arguments.service:
        comparison.add("microservice", of_service(arguments.service, records, click_id))
    if arguments.folder:
        comparison.add("embedded", of_folder(arguments.folder, records, click_id))
        by_onnx = of_folder(arguments.folder, records, click_id, onnx=True)
        comparison.add("embedded, ONNX", by_onnx, ONNX_TOLERANCE)
    Console(width=WIDTH).print(comparison.table)
    return 0 if comparison.is_alike else 1


if __name__ == "__main__":
    sys.exit(main())
