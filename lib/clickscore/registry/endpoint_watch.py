"""The watch over an endpoint: before each micro-batch, which version does it answer with?"""

from collections.abc import Callable
from pathlib import Path

from clickscore.endpoint.client import Client
from clickscore.errors import ModelError, ModelUnavailableError, WiringError
from clickscore.registry.endpoint_version import another, version_now
from clickscore.registry.version import ModelVersion


class EndpointWatch:
    """Knows the version behind an endpoint.

    Attributes:
        current: that version, as of the last look.
    """

    def __init__(
        self, current: ModelVersion, folder: Path, prepare: Callable[[ModelVersion], None],
        tell: Callable[[str], None], refuse: Callable[[ModelVersion, str], None],
    ) -> None:  # fmt: skip
        """Begin with the version that has been tried.

        Args:
            current: that version, with its connection and its example.
            folder: where descriptions of new versions go.
            prepare: gets a version ready on the executors; raises what is wrong with it.
            tell: prints a line on the console.
            refuse: writes refused versions down.
        """
        assert current.connection, "it is behind an endpoint"
        assert current.example is not None, "there is always one"
        self.current = current
        self._folder, self._prepare, self._tell, self._refuse = folder, prepare, tell, refuse
        self._client, self._example = Client(current.connection), current.example
        self._is_pinned = not current.connection.names_version
        self._refused = ""

    def look(self) -> None:
        """Ask the endpoint for its version; one that has come is tried, and is the current one afterwards.

        An endpoint whose version the configuration pins is not asked.

        Raises:
            ModelUnavailableError: if it is away, or its new version cannot be used; nothing else can score then.
        """
        if self._is_pinned:
            return
        try:
            version = version_now(self._client, self._example)
            if version != self.current.version:
                self._take(another(self.current, version, self._folder))
        except ModelUnavailableError:
            raise
        except ModelError as error:
            raise ModelUnavailableError(str(error)) from error

    def _take(self, model: ModelVersion) -> None:
        try:
            self._prepare(model)
        except ModelUnavailableError:
            raise
        except WiringError as error:
            if model.version != self._refused:
                self._refuse(model, str(error))
            self._refused = model.version
            raise ModelUnavailableError(f"{self._client.label} answers with {model.label}: {error}") from error
        self._tell(f"{self._client.label} answers with {model.label} now, before with version {self.current.version}")
        self.current = model
