"""The poller of the model aliases: asks where they point, and keeps the Python workers warm."""

import threading
from collections.abc import Callable
from time import monotonic

from clickscore.errors import gist
from clickscore.stream.active_models import ActiveModels
from clickscore.stream.deployment import Deployment

HEARTBEAT_S = 25
"""Spark looks every 10 s for Python workers that have had nothing to do for 60 s, and ends them."""
STOP_PATIENCE_S = 5
"""How long the end of a run waits for a poll; one that hangs at a dead registry is left behind."""


class AliasPoller:
    """Polls in a thread of its own, so that no micro-batch waits for the registry."""

    def __init__(
        self, models: ActiveModels, interval_s: float, deployment: Deployment, tell: Callable[[str], None]
    ) -> None:
        """Set the poller up; it does nothing before ``start``."""
        self._models, self._interval_s, self._deployment, self._tell = models, interval_s, deployment, tell
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to poll; a challenger that is there already is ready afterwards."""
        for follower in self._models.followers:
            if not follower.current:
                self._try(follower.poll)
        self._thread = threading.Thread(target=self._watch, name="alias-poller", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Poll no more."""
        self._stopping.set()
        if self._thread:
            self._thread.join(STOP_PATIENCE_S)

    def _watch(self) -> None:
        touched = monotonic()
        while not self._stopping.wait(self._interval_s):
            for follower in self._models.followers:
                with self._deployment.changing:
                    self._try(follower.poll)
            if monotonic() - touched > HEARTBEAT_S:
                touched = monotonic()
                self._try(lambda: self._deployment.keep_warm(self._models.in_service))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # Spark or a table fails, perhaps as the run ends; the stream itself would tell
            if not self._stopping.is_set():
                self._tell(f"polling the model registry failed: {gist(error)}")
