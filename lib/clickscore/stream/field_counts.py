"""Fields that no field of a click is read from, counted for each day in a sample of every micro-batch.

The checkpoint keeps the counts, so that ``--plan`` can show them. They are a sample: what a run that is killed has
counted since it last wrote them, a minute at most, is gone.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from clickscore.monitoring.report import Report
from clickscore.samples.unknown_fields import count_unknown, known_keys, listed
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage.files import read_text, write_text

FILE = "clickscore-unknown-fields"
"""File of the checkpoint with the counts."""
MOST_DAYS = 30
MOST_FIELDS = 200
"""Fields of a day, and of a micro-batch; records whose keys are ids would fill the file, and ``stream_metrics``."""
SAVE_EVERY_S = 60


@dataclass
class Day:
    """What a sample of a day's records has.

    Attributes:
        records: how many were looked at.
        fields: unknown fields, with the number of records that have them.
    """

    records: int = 0
    fields: Counter[str] = field(default_factory=Counter)


Days = dict[str, Day]
"""The days, in ISO 8601, ascending."""


@dataclass
class FieldCounts:
    """Counts the unknown fields of a run.

    Attributes:
        click: the fields of a click.
        days: what is counted, of earlier runs, too.
        save: keeps it.
    """

    click: pa.Schema
    days: Days
    save: Callable[[Days], None]
    _seen: set[str] = field(default_factory=set)
    _saved_s: float = field(default_factory=time.monotonic)

    def add(self, done: Report, today: date) -> Mapping[str, int]:
        """Count in the records that came along with a micro-batch, and return the counts of these, the commonest.

        The counts of the day are kept, if that is due.
        """
        found = _commonest(count_unknown(done.sampled, self.click))
        day = self.days.setdefault(today.isoformat(), Day())
        day.records += len(done.sampled)
        day.fields.update(found)
        day.fields = _commonest(day.fields)
        self._seen.add(today.isoformat())
        for oldest in sorted(self.days)[:-MOST_DAYS]:
            del self.days[oldest]
        if time.monotonic() - self._saved_s > SAVE_EVERY_S:
            self.close()
        return found

    def close(self) -> None:
        """Keep what is counted."""
        self._saved_s = time.monotonic()
        with suppress(*SPARK_ERRORS):  # it is no more than a sample, for which no stream should end
            self.save(self.days)

    def of_run(self) -> Iterator[str]:
        """Yield what this run has met, in words."""
        return in_words({day: counts for day, counts in self.days.items() if day in self._seen})


def _commonest(fields: Counter[str]) -> Counter[str]:
    return Counter(dict(fields.most_common(MOST_FIELDS)))


def in_words(days: Days) -> Iterator[str]:
    """Yield a sentence for each day with unknown fields, the newest first."""
    for day, counts in sorted(days.items(), reverse=True):
        if counts.fields:
            yield (
                f"fields that the click schema does not have, in {counts.records:,} sampled records of {day}: "
                f"{listed(counts.fields, counts.records)}"
            )


def read_field_counts(spark: SparkSession, checkpoint: str, click: pa.Schema) -> Days:
    """Return what the checkpoint keeps, without fields that are known by now.

    A file that is missing, or was cut off in the middle, keeps nothing.
    """
    known = known_keys(click)
    try:
        found: Mapping[str, Any] = json.loads(read_text(spark, f"{checkpoint}/{FILE}") or "{}")
        return {
            day: Day(counts["records"], Counter({name: n for name, n in counts["fields"].items() if name not in known}))
            for day, counts in found.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_field_counts(spark: SparkSession, checkpoint: str, days: Days) -> None:
    """Write what the checkpoint keeps."""
    texts = {day: {"records": counts.records, "fields": counts.fields} for day, counts in sorted(days.items())}
    write_text(spark, f"{checkpoint}/{FILE}", json.dumps(texts))
