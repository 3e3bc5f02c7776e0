"""The active models: which champion and challenger score the next micro-batches, and how they are suspended."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa

from clickscore.config.run import Config
from clickscore.registry.alias_follower import Follower
from clickscore.registry.endpoint_watch import EndpointWatch
from clickscore.registry.version import ModelVersion
from clickscore.scoring.features import check_features
from clickscore.storage.model_timeline import BENCHED, CHALLENGER, CHAMPION, REFUSED, WITHDRAWN, Timeline
from clickscore.stream.deployment import Deployment


class ActiveModels:
    """The models of a run.

    Attributes:
        champion: follows the model that scores every click, or watches which version its endpoint has.
        challenger: follows the one beside it, where the configuration names one.
    """

    def __init__(
        self, config: Config, features: pa.Schema, current: ModelVersion, timeline: Timeline[ModelVersion],
        next_batch: int, folder: Path, deployment: Deployment, tell: Callable[[str], None],
        refused: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """Begin with a champion that is ready.

        Args:
            config: the run.
            features: what the features file produces.
            current: the champion.
            timeline: keeps what becomes of the versions.
            next_batch: first micro-batch that a version may score which comes now.
            folder: where the files of new versions go.
            deployment: the executors.
            tell: prints a line on the console.
            refused: is told about every version that is refused.
        """
        model = config.model
        self._where, self._features = str(config.features), features
        self._picks = tuple(model.picks.values())
        self._deployment, self._tell, self._note_refused = deployment, tell, refused
        self._timeline, self._next_batch = timeline, next_batch
        self._first = current
        self._suspended: tuple[str, str] | None = None
        follow, refuse = partial(Follower, model, folder=folder, tell=tell), partial(self._refuse, CHAMPION)
        self.champion: Follower | EndpointWatch
        if current.is_remote:
            self.champion = EndpointWatch(current, folder, self._prepare_champion, tell, refuse)
        else:
            self.champion = follow(model.uri, current=current, prepare=self._prepare_champion, refuse=refuse)
        self.challenger = None
        if model.challenger:
            self.challenger = follow(
                model.challenger,
                current=None,
                prepare=self._prepare_challenger,
                refuse=partial(self._refuse, CHALLENGER),
                is_optional=True,
            )

    @property
    def followers(self) -> tuple[Follower, ...]:
        """Those of aliases, which are polled."""
        return tuple(each for each in (self.champion, self.challenger) if isinstance(each, Follower))

    @property
    def in_service(self) -> tuple[ModelVersion, ...]:
        """The versions that score now."""
        return tuple(each.current for each in (self.champion, self.challenger) if each and each.current)

    def models_for(
        self, batch_id: int, planned_before: bool, is_written: bool
    ) -> tuple[ModelVersion, ModelVersion | None]:
        """Return champion and challenger of a micro-batch; afterwards the timeline knows them.

        Args:
            batch_id: the micro-batch.
            planned_before: whether an earlier query may have begun it.
            is_written: whether its scores are committed.

        Raises:
            ModelUnavailableError: if the endpoint of the champion is away, or has a version that cannot be used.
        """
        self._next_batch = batch_id
        if isinstance(self.champion, EndpointWatch):
            self.champion.look()
        current = self.champion.current or self._first
        champion = self._timeline.model_for(batch_id, planned_before, current, is_written)
        challenger = self.challenger.current if self.challenger else None
        if challenger and challenger.key in (champion.key, self._suspended):
            challenger = None
        self._timeline.challenge(batch_id, challenger)
        self._deployment.retire_all_but({champion, *self.in_service})
        self._next_batch = batch_id + 1
        return champion, challenger

    def suspend(self, model: ModelVersion, reason: str, batch_id: int) -> None:
        """Let a challenger score no more, from a micro-batch on."""
        self._suspended = model.key
        self._tell(f"{model.label} is suspended until a new version arrives (benched in model_timeline): {reason}")
        self._timeline.note(batch_id, CHALLENGER, BENCHED, model, reason)

    def withdraw(self, model: ModelVersion, reason: str, batch_id: int) -> None:
        """Take the pin back by which a champion was to score a micro-batch."""
        self._timeline.note(batch_id, CHAMPION, WITHDRAWN, model, reason)

    def _prepare_champion(self, model: ModelVersion) -> None:
        # What the champion does not know may be for a challenger, even one that has not come yet.
        check_features(self._features, model.inputs, self._where, self._features if self.challenger else None)
        self._deployment.warm_up(model, self._picks)

    def _prepare_challenger(self, model: ModelVersion) -> None:
        check_features(self._features, model.inputs, self._where, self._features)
        self._deployment.warm_up(model, self._picks[:1])

    def _refuse(self, role: str, model: ModelVersion | tuple[str, str], reason: str) -> None:
        self._note_refused()
        self._timeline.note(self._next_batch, role, REFUSED, model, reason)
