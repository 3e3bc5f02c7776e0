"""Versions that follow an alias: a new one is fetched, checked and warmed up aside, and then offered to the stream."""

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from clickscore.errors import ClickscoreError, ModelNotFoundError, ModelUnavailableError, first_line
from clickscore.model_config import Model
from clickscore.registry import Registry, fetch_version, redacted
from clickscore.version import ModelVersion

Refuse = Callable[["ModelVersion | tuple[str, str]", str], None]
"""Writes a version, by name and version alone if its files were not to be had, and the reason into the timeline."""


class Follower:
    """Knows the version that a URI stands for, as soon as it is fit for work.

    Attributes:
        current: that version; None as long as there is none.
        silent_polls: how often the registry has not answered.
    """

    def __init__(
        self, config: Model, uri: str, current: ModelVersion | None, folder: Path,
        prepare: Callable[[ModelVersion], None], tell: Callable[[str], None], refuse: Refuse,
    ) -> None:  # fmt: skip
        """Begin with a version that is at work.

        Args:
            config: the model section.
            uri: what is followed.
            current: the version it stands for.
            folder: where the files of new versions go.
            prepare: checks a version and gets it ready on the executors; raises what is wrong with it.
            tell: tells a person.
            refuse: writes refused versions down.
        """
        self.current, self.silent_polls = current, 0
        self._config, self._uri, self._folder = config, uri, folder
        self._prepare, self._tell, self._write_down = prepare, tell, refuse
        self._registry: Registry | None = None
        self._refused: set[tuple[str, str]] = set()
        self._silent_since: datetime | None = None

    def poll(self) -> None:
        """Ask the registry once; a version that has come, and is fit, is the current one afterwards."""
        try:
            # Made here: the registry may not be there yet when the run begins.
            self._registry = self._registry or Registry(self._config.registry)
            name, version = self._registry.resolve(self._uri)
            if (self.current and self.current.key == (name, version)) or (name, version) in self._refused:
                self._answered()
                return
            model = fetch_version(self._config, name, version, self._folder, self._registry)
        except (ModelUnavailableError, ModelNotFoundError) as error:
            self._unanswered(error)
            return
        except ClickscoreError as error:
            self._refuse((name, version), error)
            return
        except Exception as error:  # a registry is a server, a database or a folder: their errors have no common class
            self._unanswered(error)
            return
        self._answered()
        try:
            self._prepare(model)
        except ModelUnavailableError as error:
            self._unanswered(error)
        except ClickscoreError as error:
            self._refuse(model, error)
        else:
            before, self.current = self.current, model
            self._tell(f"{model.label} is ready: {self._uri} has moved" + (f" from {before.version}" if before else ""))

    def _refuse(self, model: "ModelVersion | tuple[str, str]", error: ClickscoreError) -> None:
        key = model.key if isinstance(model, ModelVersion) else model
        self._answered()
        self._refused.add(key)
        stays = f"{self.current.label} stays" if self.current else "there is none"
        self._tell(f"{key[0]} version {key[1]} is refused, {stays}: {error}")
        self._write_down(model, str(error))

    def _unanswered(self, error: Exception) -> None:
        self.silent_polls += 1
        if self._silent_since is None and (self.current or not isinstance(error, ModelNotFoundError)):
            stays = f"{self.current.label} stays" if self.current else "nobody is waiting for it"
            self._tell(f"{self._uri} cannot be looked up, {stays}: {redacted(first_line(error))}")
        self._silent_since = self._silent_since or datetime.now(timezone.utc)

    def _answered(self) -> None:
        if self._silent_since and self.silent_polls and self.current:
            since = f"{self._silent_since:%H:%M:%S}"
            self._tell(f"{self._uri} is back; it could not be looked up {self.silent_polls} times, since {since} UTC")
        self._silent_since = None
