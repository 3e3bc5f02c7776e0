"""The champion that the service scores with: loaded and tried aside, and swapped between two calls of the scorer."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from clickscore.config.model import Model
from clickscore.registry.alias_follower import Follower
from clickscore.registry.poll_thread import PollThread
from clickscore.registry.registry import fetch_current
from clickscore.registry.trial import try_aside
from clickscore.registry.version import ModelVersion
from clickscore.scoring.contract import Contract
from clickscore.scoring.features import Features, check_features
from clickscore.scoring.isolation import Tolerance
from clickscore.scoring.models import LoadedModel, load
from clickscore.scoring.scorer import ClickScorer

Item = dict[str, Any]
"""The outcome of a record, as a client gets it."""


@dataclass(frozen=True)
class Serving:
    """A version at work.

    Attributes:
        name: registered model.
        version: its version.
        scores: its score columns, ``score`` first.
        scorer: scores with it, and finds the click that the model hangs on.
        shared_scorer: the same, but gives up when the model hangs.
    """

    name: str
    version: str
    scores: tuple[str, ...]
    scorer: ClickScorer
    shared_scorer: ClickScorer


class Champion:
    """Follows the alias of the champion, by the same checks as the stream; a version that fails them never serves.

    Attributes:
        serving: the version of the moment, tried and ready; None before the first.
        refused: how many versions were refused.
    """

    def __init__(
        self, config: Model, contract: Contract, features: Features, call_limit_s: float, folder: Path,
        tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        """Put the parts together; no version is asked for yet.

        Args:
            config: the model section.
            contract: what a click is.
            features: what is computed from it.
            call_limit_s: how long the model may take for the clicks of a call.
            folder: where the files of versions go.
            tell: tells a person.
        """
        self._config, self._contract, self._features = config, contract, features
        self._tolerance = Tolerance(call_limit_s, count=float("inf"), hangs=float("inf"))
        self._folder, self._tell = folder, tell
        self._prepared: dict[tuple[str, str], Serving] = {}
        self._before: ModelVersion | None = None
        self._follower: Follower | None = None
        self._polling = PollThread(self.poll, config.poll_ms / 1000)
        self.serving: Serving | None = None
        self.refused = 0

    def begin(self) -> Serving:
        """Fetch the version that the configuration stands for, try it, and serve it.

        Raises:
            WiringError: if there is no version that fits, or it cannot be used.
        """
        first = fetch_current(self._config, self._folder)
        self._prepare(first)
        for doubt in first.doubts:
            self._tell(doubt)
        self._follower = Follower(
            self._config, self._config.uri, first, self._folder, self._prepare, self._tell, self._refuse
        )
        self.serving = self._prepared.pop(first.key)
        return self.serving

    def follow(self) -> None:
        """Begin to ask the registry, in a thread of its own."""
        self._polling.start()

    def stop(self) -> None:
        """Ask no more."""
        self._polling.stop()

    def score(self, records: list[bytes]) -> Sequence[Item]:
        """Return the outcomes of raw records, all of one version."""
        serving = self._at_work()
        return as_items(serving.scorer.score(pa.array(records, pa.binary())), serving)

    def score_shared(self, records: list[bytes]) -> Sequence[Item]:
        """Return the outcomes of raw records of several requests, all of one version.

        Raises:
            TooManyFailuresError: as soon as the model hangs; a search for the click would take the time of all.
        """
        serving = self._at_work()
        return as_items(serving.shared_scorer.score(pa.array(records, pa.binary())), serving)

    def poll(self) -> None:
        """Ask the registry once; a version that has come, and is fit, serves afterwards."""
        assert self._follower, "it has not begun"
        old = self._follower.current
        self._follower.poll()
        new = self._follower.current
        if new and new != old:
            self.serving = self._prepared.pop(new.key)
            # The scorer may still be in a call of the old one, but no longer of the one before.
            if self._before and self._before.folder != new.folder:
                shutil.rmtree(self._before.folder, ignore_errors=True)
            self._before = old

    def _at_work(self) -> Serving:
        assert self.serving, "no version serves yet"
        return self.serving

    def _refuse(self, *_: object) -> None:
        self.refused += 1  # the follower has told why

    def _prepare(self, model: ModelVersion) -> None:
        check_features(self._features.schema, model.inputs, self._features.where)
        outputs = self._config.picks
        try_aside(model, tuple(outputs.values()), self._config.time_limit_ms / 1000)
        loaded = LoadedModel(model.inputs, load(model.kind, model.folder), outputs, self._tolerance)
        scorer = ClickScorer(self._contract, self._features, loaded)
        scorer.score(pa.array([b"{}"], pa.binary()))  # the query of these inputs is planned here, not under a request
        impatient = replace(loaded, tolerance=replace(self._tolerance, hangs=0))
        shared_scorer = ClickScorer(self._contract, self._features, impatient)
        self._prepared[model.key] = Serving(model.name, model.version, tuple(outputs), scorer, shared_scorer)


def as_items(outcomes: pa.StructArray, serving: Serving) -> list[Item]:
    """Return what a client gets for each record: its scores, or the reason why it has none.

    Args:
        outcomes: of the scorer.
        serving: the version that has scored them.
    """
    columns = {name: outcomes.field(name).to_pylist() for name in serving.scores}
    reasons, details = outcomes.field("reason").to_pylist(), outcomes.field("detail").to_pylist()
    model = {"model_name": serving.name, "model_version": serving.version}
    return [
        {
            "verdict": "scored" if reasons[row] is None else "rejected",
            **{name: values[row] for name, values in columns.items()},
            "reason": reasons[row],
            "detail": details[row],
            **model,
        }
        for row in range(len(outcomes))
    ]
