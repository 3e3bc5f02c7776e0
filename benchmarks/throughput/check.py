"""The arms of `make bench` must have done the same: the same clicks, with the same scores."""

import math
from typing import Any

from benchmarks.throughput.entrants import ENTRANTS, PRODUCT

TOLERANCE = 1e-9
"""Difference of two scores that is put down to the order of additions."""


class DifferenceError(Exception):
    """Raised when an arm has scored other clicks than the product, or otherwise."""


def check(answers: dict[str, dict[str, Any]], records: int) -> dict[str, int | None]:
    """Compare what the arms have kept with what the product has, or else the first arm with scores.

    Args:
        answers: the rows of each arm, and the scores of a sample of them by id.
        records: how many records they have read.

    Returns:
        The rows of each arm; None where it keeps none.

    Raises:
        DifferenceError: with all differences.
    """
    scored = [name for name in answers if ENTRANTS[name].has_scores]
    first = PRODUCT if PRODUCT in answers else next(iter(scored), None)
    if first is None:
        return {name: answer["rows"] for name, answer in answers.items()}
    wanted, least = answers[first]["sample"], answers[first]["rows"]
    problems = []
    for name, answer in answers.items():
        rows, most = answer["rows"], least if ENTRANTS[name].is_strict and first == PRODUCT else records
        if rows is not None and first == PRODUCT and not least <= rows <= most:
            problems.append(f"{name} has {rows:,} rows, expected {least:,} to {most:,}")
        if name in scored:
            problems += _differences(name, wanted, answer["sample"], first)
    if problems or not wanted:
        raise DifferenceError("the arms do not do the same:\n" + "\n".join(problems or ["no clicks to compare"]))
    return {name: answer["rows"] for name, answer in answers.items()}


def _differences(name: str, wanted: dict[str, float], found: dict[str, float], first: str) -> list[str]:
    # Other arms than the product differ in what they take for a click.
    missing = [click for click in wanted if click not in found] if first == PRODUCT else []
    wrong = [click for click in wanted if click in found and not _is_same(wanted[click], found[click])]
    problems = []
    if missing:
        problems.append(f"{name} lacks {len(missing)} of {len(wanted)} clicks, such as {missing[0]}")
    if wrong:
        click = wrong[0]
        problems.append(f"{name} scores {len(wrong)} of {len(wanted)} clicks otherwise than {first}, such as {click}: "
                        f"expected {wanted[click]}, found {found[click]}")  # fmt: skip
    return problems


def _is_same(wanted: float, found: float | None) -> bool:
    return found is not None and math.isclose(wanted, found, rel_tol=0, abs_tol=TOLERANCE)
