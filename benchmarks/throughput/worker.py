"""One arm of `make bench` in a process of its own: the main program starts it and says when it is its turn.

It reads commands from its input, a line each, and answers with a line of JSON. Everything else that is printed here, by
Spark for instance, goes where errors go.
"""

import argparse
import importlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from benchmarks.throughput.entrants import ENTRANTS, SAMPLE_BELOW, Arm
from benchmarks.throughput.load import Load, read_setting

ARMS = "benchmarks.throughput.arms"
PRIME, RUN, CHECK = "prime", "run", "check"
OUT = "out"
"""Folder below the arm's home with what its last run in earnest has written."""


def timed(arm: Arm, load: Load, out: Path) -> dict[str, Any]:
    """Let the arm score into an empty folder; return how long it took."""
    out.mkdir(parents=True)
    began = time.monotonic()
    arm.run(load, out)
    return {"records": load.records, "seconds": time.monotonic() - began}


def checked(arm: Arm, out: Path) -> dict[str, Any]:
    """Return how many rows the last run has kept, and the scores of a sample of them."""
    scores = arm.scores(out)
    if scores is None:
        return {"rows": None, "sample": {}}
    sample = scores.filter(pc.field("event_id") < SAMPLE_BELOW).to_pydict()
    return {"rows": len(scores), "sample": dict(zip(sample["event_id"], sample["score"], strict=True))}


def main() -> None:
    """Do what the lines of the input say, until its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arm", choices=ENTRANTS)
    parser.add_argument("setting", type=Path, help="file that says what to score")
    parser.add_argument("home", type=Path, help="empty folder of the arm")
    a = parser.parse_args()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    setting, out = read_setting(a.setting), a.home / OUT
    arm: Arm = importlib.import_module(f"{ARMS}.{ENTRANTS[a.arm].module}").ARMS[a.arm](setting, a.home)
    answers.write("{}\n")
    for line in sys.stdin:
        command = line.strip()
        if command == PRIME:
            # What the last run has left goes now, not while the clock runs.
            shutil.rmtree(out, ignore_errors=True)
            answer = timed(arm, setting.prime, a.home / PRIME)
            shutil.rmtree(a.home / PRIME)
        elif command == RUN:
            answer = timed(arm, setting.full, out)
        else:
            answer = checked(arm, out)
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
