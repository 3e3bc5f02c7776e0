"""The versions that score the chunks of a backfill: each the one of its plan, or another where that one is gone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clickscore.batch.wiring import check_model
from clickscore.config.run import Config
from clickscore.console import counted
from clickscore.errors import BatchError, ModelError, ModelNotFoundError
from clickscore.registry.registry import fetch_version
from clickscore.registry.version import ModelVersion
from clickscore.storage.backfills import Chunk
from clickscore.stream.batch_scoring import BatchScorer

Key = tuple[str, str]


@dataclass
class ChunkVersions:
    """Fetches the versions, tries each before it scores, and replaces those that are gone.

    Attributes:
        config: the run.
        current: the version that the job was started with, which has been tried.
        folder: where the files of others go.
        warm_up: lets the executors try a version.
        batch_scorer: makes what counts the failures of a version.
        tell: prints a line on the console.
    """

    config: Config
    current: ModelVersion
    folder: Path
    warm_up: Callable[[ModelVersion], None]
    batch_scorer: Callable[[], BatchScorer]
    tell: Callable[[str], None]
    _gone: set[Key] = field(default_factory=set)
    _fetched: dict[Key, ModelVersion] = field(default_factory=dict)
    _ready: dict[Key, tuple[ModelVersion, BatchScorer]] = field(default_factory=dict)

    def settle(
        self, left: Sequence[Chunk], begun: Callable[[Sequence[Chunk]], set[int]],
        pin: Callable[[Iterable[Chunk], Key], list[Chunk]],
    ) -> list[Chunk]:  # fmt: skip
        """Return what an earlier backfill has left, with another version for the chunks whose own is gone.

        A chunk whose scores are committed keeps the version that they are of.

        Args:
            left: the chunks, in the order in which they are scored.
            begun: returns those, by ``batch_id``, whose scores are committed.
            pin: writes down that another version scores some chunks, and returns them with it.
        """
        settled = {chunk.batch_id: chunk for chunk in left}
        for key in sorted({chunk.model for chunk in left} - {self.current.key}):
            if not (why := self._loss(key)):
                continue
            mine = [chunk for chunk in left if chunk.model == key]
            written = begun(mine)
            if free := [chunk for chunk in mine if chunk.batch_id not in written]:
                self.tell(
                    f"{why}. {counted(len(free), 'chunk is', 'chunks are')} planned for that version, and nothing of "
                    f"them is written yet: {self.current.label} scores them instead"
                )
                settled |= {chunk.batch_id: chunk for chunk in pin(free, self.current.key)}
            for chunk in mine:
                if chunk.batch_id in written:
                    self.tell(
                        f"{why}. The scores that it gave to {_called(chunk)} are in the tables, and stay; "
                        f"{self.current.label} only says why the other records of the chunk are rejected"
                    )
        return list(settled.values())

    def of(self, chunk: Chunk) -> tuple[ModelVersion, BatchScorer]:
        """Return the version that scores a chunk, and what counts its failures over all of them.

        Raises:
            BatchError: if it cannot be used.
        """
        key = self.current.key if chunk.model in self._gone else chunk.model
        if key not in self._ready:
            try:
                self._ready[key] = self._tried(key), self.batch_scorer()
            except ModelError as error:
                raise BatchError(
                    f"{_called(chunk)}: expected {' version '.join(key)}, for which it was planned, found that it "
                    f"cannot be used: {str(error).rstrip('.')}. Chunks before it are done. Fix that and start "
                    f"again. If that version will never work again, delete it from the registry: then the version "
                    f"that the job is started with takes its place."
                ) from error
        return self._ready[key]

    def _tried(self, key: Key) -> ModelVersion:
        if key == self.current.key:
            return self.current
        model = self._fetched.get(key) or fetch_version(self.config.model, *key, self.folder)
        check_model(self.config, model)
        self.warm_up(model)
        return model

    def _loss(self, key: Key) -> str | None:
        """Return why a version does not come back, if so; any other trouble is one of its chunks, when they come."""
        try:
            self._fetched[key] = fetch_version(self.config.model, *key, self.folder)
        except ModelNotFoundError as error:
            self._gone.add(key)
            return str(error)
        except ModelError:
            return None
        return None


def _called(chunk: Chunk) -> str:
    return f"chunk {chunk.number}, which is batch {chunk.batch_id}"
