"""The archive: landing files that the stream has read, and that an audit has proved, are moved out of its way.

The stream lists the whole landing folder for each micro-batch, so that files which it has read cost time for ever. What
was moved cannot be compared any more; so nothing is moved unless each record of the folder is in exactly one row.
"""

from collections.abc import Callable
from urllib.parse import unquote

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.run import Config
from clickscore.config.source import FolderSource
from clickscore.console import counted
from clickscore.errors import ConfigError, SourceError
from clickscore.reconciliation import audit, audit_report
from clickscore.reconciliation.batch_range import find_range
from clickscore.reconciliation.landed_files import in_batches
from clickscore.sources.file_log import list_landed, read_log
from clickscore.sources.identity import settle
from clickscore.storage import places
from clickscore.storage.checkpoint import Checkpoint, read_checkpoint
from clickscore.storage.files import move, path_exists, plain_uri
from clickscore.storage.offset_log import read_plans


def run(
    config: Config, make_session: Callable[[], SparkSession], console: Console, folder: str, dry_run: bool = False
) -> bool:
    """Move the landing files that the stream has read into a folder, if an audit finds each of their records once.

    A file keeps its path within the landing folder. One that was changed after the stream had read it stays where it
    is, and so does one whose name is taken in the archive. It may run beside the stream, and be killed: the next run
    moves the rest.

    Args:
        config: the run; its source is a folder.
        make_session: builds the session.
        console: where audit and outcome go.
        folder: the archive; made if it is not there.
        dry_run: audit, and say what would be moved.

    Returns:
        Whether the audit has found nothing; if not, no file was moved.

    Raises:
        ConfigError: if the source is not a folder, or the archive is within it or around it.
        WiringError: if source, checkpoint and tables cannot be compared.
        SourceError: if a file cannot be moved there.
    """
    spark = make_session()
    checkpoint = read_checkpoint(spark, config.checkpoint)
    source = settle(spark, config.source, checkpoint)
    if not isinstance(source, FolderSource):
        raise ConfigError("the configuration", [f"--archive: expected a source of kind folder, found {source.kind}"])
    landing, archive = places.real(spark, source.path), places.real(spark, folder)
    if landing == archive or places.is_inside(archive, landing) or places.is_inside(landing, archive):
        raise ConfigError("the configuration", [
            f"--archive: {folder} is the landing folder {source.path}, in it, or around it. Name one beside it."
        ])  # fmt: skip
    # The audit also takes micro-batches that are done after this moment; their files wait for the next run.
    names = _read_files(spark, source.path, checkpoint)
    if not audit.run(config, lambda: spark, console, None, None):
        audit_report.say(console, f"No file was moved to {folder}: fix what the audit has found first.")
        return False
    taken = [name for name in names if path_exists(spark, f"{archive}/{name}")]
    free = sorted(set(names) - set(taken))
    if not dry_run:
        for number, name in enumerate(free):
            if not move(spark, f"{places.qualified(spark, source.path)}/{name}", f"{archive}/{name}"):
                raise SourceError(
                    f"{name} cannot be moved from {source.path} to {folder}: the archive must be on the same file "
                    f"system, and the job must be allowed to write there. {counted(number, 'file')} moved before."
                )
    verb = "would be moved" if dry_run else "was moved" if len(free) == 1 else "were moved"
    audit_report.say(console, f"{counted(len(free), 'file')} that the stream has read {verb} to {folder}.")
    if taken:
        audit_report.say(
            console,
            f"{counted(len(taken), 'file stays', 'files stay')}, as {folder} has files of the same names, for instance "
            f"{taken[0]}.",
        )
    return True


def _read_files(spark: SparkSession, landing: str, checkpoint: Checkpoint) -> list[str]:
    """Return the files that finished micro-batches have read and that are still the same, by their paths within."""
    if checkpoint.last_done < 0:
        return []
    plans = read_plans(spark, checkpoint.path)
    done = {batch: plan for batch, plan in plans.items() if batch <= checkpoint.last_done}
    taken = in_batches(read_log(spark, checkpoint.path), find_range(checkpoint, done, 0, None))
    same = taken.join(list_landed(spark, landing), on="source").where(F.col("changed_ms") <= F.col("logged_ms"))
    root = plain_uri(places.qualified(spark, landing)).rstrip("/") + "/"
    return [unquote(row.source).removeprefix(root) for row in same.select("source").distinct().collect()]
