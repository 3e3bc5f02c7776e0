"""The backfill: records of a range that are missing in the tables of a stream are scored into them, exactly once."""

import tempfile
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.batch.chunk_versions import ChunkVersions
from clickscore.batch.chunks import ChunkScorer, landed_files
from clickscore.batch.missing import Range, find_missing
from clickscore.batch.progress import ChunkLines
from clickscore.batch.wiring import check
from clickscore.config.run import Config
from clickscore.console import counted, warn
from clickscore.registry.registry import fetch_current
from clickscore.storage.backfills import Backfills
from clickscore.storage.fence import Fence
from clickscore.stream.deployment import Deployment
from clickscore.stream.refusals import Refusals
from clickscore.stream.silence import ending_silent_workers
from clickscore.stream.stop_signals import stop_signals

FENCE = "clickscore-backfill"
"""Folder of the checkpoint with the fence of the backfills."""


def run(config: Config, make_session: Callable[[], SparkSession], console: Console, asked: Range) -> None:
    """Score what is missing of a range into the tables of the stream; first what an earlier backfill has left.

    Args:
        config: the run; ``model.uri`` names the version.
        make_session: builds the session.
        console: where the progress goes.
        asked: the range.

    Raises:
        WiringError: if the wiring or the range is wrong; nothing is changed then.
        BatchError: if it cannot go on. What is done is done; to start it again is safe.
    """
    say, tell = partial(console.print, highlight=False, markup=False, soft_wrap=True), partial(warn, console)
    with tempfile.TemporaryDirectory(prefix="clickscore-") as folder:
        model = fetch_current(config.model, Path(folder))
        spark = make_session()
        wiring = check(spark, config, model)
        backfills = Backfills.of(spark, wiring.scored, wiring.stream)
        newest, missing = backfills.newest(), find_missing(spark, wiring, backfills, asked)
        for warning in (*model.doubts, *missing.warnings):
            tell(warning)
        found = f"Of the range, {missing.present} in the tables, or planned; {missing.what} missing."
        if not missing.chunks and not backfills.unfinished():
            say(found)
            return
        deployment, picks = Deployment(spark, config.model), tuple(config.model.picks.values())
        # From here on: the session sets a handler of its own.
        with stop_signals() as signals, ending_silent_workers(spark, config.model):
            deployment.warm_up(model, picks)
            fence = Fence.acquire(spark, f"{config.checkpoint}/{FENCE}", str(uuid.uuid4()))
            left = backfills.unfinished()
            landed_files(spark, left)  # a folder that is gone is refused before anything is planned
            # With the fence up, no other run plans anything; until then, one may have.
            if backfills.newest() != newest:
                missing = find_missing(spark, wiring, backfills, asked)
            chunks = backfills.plan(missing.chunks, model.key, fence) if missing.chunks else []
            say(found)
            if left:
                say(f"An earlier backfill has left {counted(len(left), 'chunk')}, to be scored first.")
            refusals = Refusals.of(spark, config, tell)
            scorer = ChunkScorer(spark, wiring, deployment, backfills, fence, refusals, tell)
            versions = ChunkVersions(
                config, model, Path(folder), partial(deployment.warm_up, picks=picks), scorer.batch_scorer, tell
            )
            left = versions.settle(left, scorer.begun, partial(backfills.pin, fence=fence)) if left else []
            began = time.monotonic()
            with ChunkLines(console, len(left) + len(chunks)) as lines:
                for chunk, is_new in [*((chunk, False) for chunk in left), *((chunk, True) for chunk in chunks)]:
                    if signals:
                        break
                    lines.report(scorer.score(chunk, *versions.of(chunk), is_new))
        say(lines.summary(time.monotonic() - began))
        if signals:
            say("The backfill was asked to stop. Start it again to score the remaining chunks.")
