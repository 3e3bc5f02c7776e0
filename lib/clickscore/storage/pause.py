"""Pauses of a stream: another job asks it to begin no micro-batch, so that a commit of that job finds the tables quiet.

Delta refuses a commit that removes rows if the table got new files since it began, whatever is in them: tables without
partitions are checked as a whole, and the open project knows no weaker isolation than Serializable. Such a commit takes
seconds, so a stream that appends every few seconds would be in its way each time.

A request is a file in the checkpoint. The stream looks for one every few seconds, beside its micro-batches. It finishes
the micro-batch in flight, answers with a second file, and begins the next one when the request is gone. A job that was
killed cannot take its request back; the stream goes on without that after ``LONGEST_S``.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf

from pyspark.sql import SparkSession

from clickscore.storage.files import file_names, path_exists, remove, write_text

FOLDER = "clickscore-pause"
"""Folder of the checkpoint with the requests and the answers."""
LONGEST_S = 60.0
"""How long a micro-batch waits: clicks are late by no more than that, should the job have been killed."""
LOOK_S = 10.0
"""How often the stream looks for requests, as often as for another run."""
ANSWER_S = 30.0
"""How long the job waits for an answer. A micro-batch that takes longer leaves time for a commit before its own."""
POLL_S = 0.25
"""Between two looks, while one waits for the other."""

_ASKED, _ANSWERED = ".asked", ".answered"


@contextmanager
def paused(spark: SparkSession, checkpoint: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Let the stream of a checkpoint, if one runs, begin no micro-batch for the length of a block that makes a commit.

    Args:
        spark: the session.
        checkpoint: of the stream.
        tell: prints a line on the console.
    """
    request = f"{checkpoint}/{FOLDER}/{uuid.uuid4()}"
    write_text(spark, request + _ASKED, "")
    try:
        until = time.monotonic() + ANSWER_S
        while not (is_answered := path_exists(spark, request + _ANSWERED)) and time.monotonic() < until:
            time.sleep(POLL_S)
        tell(
            "the stream waits until this commit is done"
            if is_answered
            else f"no stream has answered within {ANSWER_S:.0f} s; the commit is tried all the same"
        )
        yield
    finally:
        remove(spark, request + _ASKED)
        remove(spark, request + _ANSWERED)


@dataclass
class Pauses:
    """What a stream does about requests to wait.

    Attributes:
        spark: the session.
        checkpoint: of the stream.
        tell: prints a line on the console.
    """

    spark: SparkSession
    checkpoint: str
    tell: Callable[[str], None]
    _requests: tuple[str, ...] = ()
    _looked: float = -inf

    def look(self) -> None:
        """Look for requests, if the last look is long enough ago."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        folder = f"{self.checkpoint}/{FOLDER}"
        names = [name for name in file_names(self.spark, folder) if name.endswith(_ASKED)]
        self._requests = tuple(f"{folder}/{name.removesuffix(_ASKED)}" for name in names)

    def wait(self, batch_id: int, is_stopping: Callable[[], bool]) -> None:
        """Wait before a micro-batch for as long as somebody asks for that; at once where the last look found nothing.

        Args:
            batch_id: the micro-batch, of which nothing is written yet.
            is_stopping: tells whether no micro-batch may begin any more, so that there is nothing to wait for.
        """
        requests, self._requests = self._requests, ()
        if not (waiting := self._still_there(requests)):
            return
        self.tell(f"batch {batch_id} waits for another job that changes the tables, {LONGEST_S:.0f} s at most")
        for request in waiting:
            write_text(self.spark, request + _ANSWERED, "")
        until = time.monotonic() + LONGEST_S
        while (left := self._still_there(waiting)) and not is_stopping() and time.monotonic() < until:
            time.sleep(POLL_S)
        for request in [] if is_stopping() else left:
            self.tell(
                f"{request}{_ASKED} has been there for more than {LONGEST_S:.0f} s, so its job was killed or takes "
                f"too long: the stream goes on, and has removed the file. If the job is not running, start it again"
            )
            remove(self.spark, request + _ASKED)
        for request in waiting:
            remove(self.spark, request + _ANSWERED)

    def _still_there(self, requests: Iterable[str]) -> list[str]:
        return [request for request in requests if path_exists(self.spark, request + _ASKED)]
