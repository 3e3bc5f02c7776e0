"""Followers of an alias: a new version is fetched, checked and loaded in the background, then offered to the stream."""

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from time import monotonic

from clickscore.config.model import Model
from clickscore.console import counted
from clickscore.errors import ModelNotFoundError, ModelUnavailableError, WiringError, gist
from clickscore.registry.registry import Registry, fetch_version, redacted
from clickscore.registry.version import ModelVersion
from clickscore.scoring.isolation import describe

TRY_AGAIN_S = 30.0
"""Time until a version whose files could not be had, or that could not be tried, is asked for again."""

Key = tuple[str, str]
"""Name and version of a model."""
Refuse = Callable[["ModelVersion | Key", str], None]
"""Writes a version, by name and version alone if its files are unavailable, and the reason into the timeline."""


class Follower:
    """Knows the version that a URI stands for, as soon as it is fit for work.

    Attributes:
        current: that version; None as long as there is none.
        silent_polls: how often the registry has not answered, in this run.
    """

    def __init__(
        self, config: Model, uri: str, current: ModelVersion | None, folder: Path,
        prepare: Callable[[ModelVersion], None], tell: Callable[[str], None], refuse: Refuse,
        is_optional: bool = False,
    ) -> None:  # fmt: skip
        """Begin with the active version.

        Args:
            config: the model section.
            uri: what is followed.
            current: the version it stands for.
            folder: where the files of new versions go.
            prepare: checks a version and gets it ready on the executors; raises what is wrong with it.
            tell: prints a line on the console.
            refuse: writes refused versions down.
            is_optional: whether nothing is left, where the alias is gone, instead of the last version.
        """
        self.current, self.silent_polls = current, 0
        self._config, self._uri, self._folder = config, uri, folder
        self._prepare, self._tell, self._write_down = prepare, tell, refuse
        self._is_optional = is_optional
        self._registry: Registry | None = None
        self._refused: Key | None = None
        self._waiting: tuple[Key, float] | None = None
        self._silence: tuple[datetime, int] | None = None

    def poll(self) -> None:
        """Ask the registry once; a version that has come, and is fit, is the current one afterwards."""
        try:
            # Made here: the registry may not be there yet when the run begins.
            self._registry = self._registry or Registry(self._config.registry)
            key = self._registry.resolve(self._uri)
        except ModelNotFoundError as error:
            if self._is_optional:
                self._leave()
            else:
                self._unanswered(error)
            return
        except Exception as error:  # a registry is a server, a database or a folder: their errors have no common class
            self._unanswered(error)
            return
        self._answered()
        if self.current and self.current.key == key:
            self._refused = None  # the alias is back where it was; a version that was refused may come again, fixed
        elif key != self._refused and not self._waits_for(key):
            self._take(key)

    def _take(self, key: Key) -> None:
        found: ModelVersion | Key = key
        try:
            found = model = fetch_version(self._config, *key, self._folder, self._registry)
            self._prepare(model)
        except (ModelUnavailableError, ModelNotFoundError) as error:
            self._wait(key, str(error))
        except WiringError as error:  # what a model itself raises has become one where it was tried
            self._refuse(found, error)
        except Exception as error:  # of Spark, a table or the disk: no common class, and nothing against the version
            self._wait(key, redacted(describe(error)))
        else:
            before, self.current, self._waiting = self.current, model, None
            self._tell(
                f"{model.label} is ready: {self._uri} has moved" + (f" from version {before.version}" if before else "")
            )
            for doubt in model.doubts:
                self._tell(doubt)

    def _refuse(self, model: "ModelVersion | Key", error: WiringError) -> None:
        self._refused = key = model.key if isinstance(model, ModelVersion) else model
        self._tell(f"{key[0]} version {key[1]} is refused, {self._stays}: {error}")
        self._write_down(model, str(error))

    def _waits_for(self, key: Key) -> bool:
        return self._waiting is not None and self._waiting[0] == key and monotonic() < self._waiting[1]

    def _wait(self, key: Key, why: str) -> None:
        if not self._waiting or self._waiting[0] != key:
            self._tell(f"{key[0]} version {key[1]} is retried every {TRY_AGAIN_S:.0f} s, {self._stays}: {why}")
        self._waiting = key, monotonic() + TRY_AGAIN_S

    @property
    def _stays(self) -> str:
        return f"{self.current.label} stays" if self.current else f"{self._uri} has no active version until then"

    def _leave(self) -> None:
        self._answered()
        if self.current:
            self._tell(f"{self._uri} no longer exists; {self.current.label} stops scoring")
        self.current = None

    def _unanswered(self, error: Exception) -> None:
        self.silent_polls += 1
        if not self._silence:
            self._tell(f"{self._uri} cannot be looked up, {self._stays}: {redacted(gist(error))}")
        since, polls = self._silence or (datetime.now(timezone.utc), 0)
        self._silence = since, polls + 1

    def _answered(self) -> None:
        if self._silence:
            since, polls = self._silence
            times = counted(polls, "time")
            self._tell(f"{self._uri} is back; it could not be looked up {times}, since {since:%H:%M:%S} UTC")
        self._silence = None
