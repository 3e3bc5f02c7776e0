"""The poller of the model aliases: asks where they point, and keeps the Python workers warm."""

from collections.abc import Callable
from time import monotonic

from clickscore.errors import gist
from clickscore.registry.poll_thread import PollThread
from clickscore.stream.active_models import ActiveModels
from clickscore.stream.deployment import Deployment

HEARTBEAT_S = 25
"""Spark looks every 10 s for Python workers that have had nothing to do for 60 s, and ends them."""


class AliasPoller:
    """Polls in a thread of its own, so that no micro-batch waits for the registry."""

    def __init__(
        self, models: ActiveModels, interval_s: float, deployment: Deployment, tell: Callable[[str], None]
    ) -> None:
        """Set the poller up; it does nothing before ``start``."""
        self._models, self._deployment, self._tell = models, deployment, tell
        self._polling = PollThread(self._poll, interval_s)
        self._touched = monotonic()

    def start(self) -> None:
        """Begin to poll; a challenger that is there already is ready afterwards."""
        for follower in self._models.followers:
            if not follower.current:
                self._try(follower.poll)
        self._touched = monotonic()
        self._polling.start()

    def stop(self) -> None:
        """Poll no more."""
        self._polling.stop()

    def _poll(self) -> None:
        for follower in self._models.followers:
            with self._deployment.changing:
                self._try(follower.poll)
        if monotonic() - self._touched > HEARTBEAT_S:
            self._touched = monotonic()
            self._try(lambda: self._deployment.keep_warm(self._models.in_service))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # Spark or a table fails, perhaps as the run ends; the stream itself would tell
            if not self._polling.is_stopping:
                self._tell(f"polling the model registry failed: {gist(error)}")
