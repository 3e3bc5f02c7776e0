"""A sample of records, from a file or from standard input."""

import gzip
import sys
import zlib
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from clickscore.errors import SourceError
from clickscore.samples.trial import lines


def read_sample(sample: str, most: int) -> pa.BinaryArray:
    """Return the first lines of a sample, a record each.

    Args:
        sample: a file, with ``.gz`` a compressed one, or ``-`` for standard input.
        most: how many lines are read.

    Raises:
        SourceError: if it cannot be read.
    """
    try:
        with _opened(sample) as file:
            return lines(islice(file, most))
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"the sample {sample} cannot be read: {error}") from None


def _opened(sample: str) -> "BinaryIO | nullcontext[BinaryIO]":
    if sample == "-":
        return nullcontext(sys.stdin.buffer)
    return cast("BinaryIO", gzip.open(sample)) if sample.endswith(".gz") else Path(sample).open("rb")
