"""Model versions on the executors: sent once, loaded and tried before they score, then removed."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from math import inf
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf

from clickscore.config.model import Model
from clickscore.errors import ModelError, ModelUnavailableError, gist
from clickscore.registry.trial import check_answers, example_of, load_in_time
from clickscore.registry.trust import model_files
from clickscore.registry.version import ModelVersion
from clickscore.scoring.contract import Contract
from clickscore.scoring.features import Features
from clickscore.scoring.isolation import Tolerance
from clickscore.scoring.outputs import Pick
from clickscore.spark_errors import SPARK_ERRORS, UNAVAILABLE, model_fault
from clickscore.stream.score_function import ScoreFunction, Side, score_function
from clickscore.stream.silence import limit_s
from clickscore.stream.worker_models import Served, loaded

MOST_CORES = 1_000
"""Rows of the job that touches all workers; a task without a row would touch none."""
MOST_RETIRED = 50
"""Versions, newest first, that workers are told to forget; one that is older has left with its worker by then."""


@dataclass(frozen=True)
class _Trial:
    """What a version must be able to do before it scores clicks."""

    served: Served
    picks: tuple[Pick, ...]
    example: pa.StructArray | None
    answers: tuple[float, ...]
    time_limit_s: float


class Deployment:
    """The model versions that the executors have."""

    def __init__(self, spark: SparkSession, config: Model) -> None:
        """Begin with none."""
        self._spark, self._config = spark, config
        self._served: dict[str, tuple[Served, Path]] = {}
        self._times_served: Counter[str] = Counter()
        self._retired: dict[str, None] = {}
        self._lock = threading.Lock()
        self.changing = threading.Lock()
        """Held while a version is prepared, so that it is not retired before it is active."""

    def serve(self, model: ModelVersion) -> Served:
        """Send the files of a version to the executors, once."""
        with self._lock:
            if model.digest not in self._served:
                files = self._spark.sparkContext.broadcast(_zipped(model.folder))
                key = f"{model.digest}-{self._times_served[model.digest]}"
                served = Served(
                    key, model.label, model.digest, model.kind, files, model.version, model.connection
                )  # fmt: skip
                self._served[model.digest] = served, model.folder
                self._times_served[model.digest] += 1
            return self._served[model.digest][0]

    def warm_up(self, model: ModelVersion, picks: tuple[Pick, ...]) -> None:
        """Load a version in the Python workers and let it score its input example.

        Raises:
            ModelError: if it cannot be loaded, fails, takes too long, or does not answer as when it was registered.
            ModelUnavailableError: if its endpoint is away, or Spark fails for another reason.
        """
        call_limit_s = inf if model.is_remote else self._config.time_limit_ms / 1000
        trial = _Trial(self.serve(model), picks, example_of(model), model.answers, call_limit_s)
        began = time.monotonic()
        try:
            self._in_all_workers([trial])
        except SPARK_ERRORS as error:
            fault, is_silent = model_fault(error), 0 < limit_s(self._spark) <= time.monotonic() - began
            if not fault or is_silent:  # an executor was lost, or the session is about to end: no fault of the model's
                why = gist(error).rpartition(UNAVAILABLE)[2]
                raise ModelUnavailableError(f"{model.label} could not be tried by the executors: {why}") from error
            raise ModelError(f"{model.label} cannot be used for scoring: {fault}") from None

    def keep_warm(self, models: Iterable[ModelVersion]) -> None:
        """Touch the Python workers, which Spark ends when they have had nothing to do for a minute."""
        digests = {model.digest for model in models}
        with self._lock:
            served = [each for digest, (each, _) in self._served.items() if digest in digests]
        self._in_all_workers([_Trial(each, (), None, (), 0.0) for each in served])

    def _in_all_workers(self, trials: list[_Trial]) -> None:
        def load(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
            for trial in trials:
                _try(trial)
            yield from batches

        rows = self._spark.range(MOST_CORES)  # in as many tasks as the executors have cores
        rows.select(arrow_udf(load, T.LongType()).asNondeterministic()("id")).collect()

    def score_with(
        self, contract: Contract, features: Features, model: ModelVersion, tolerance: Tolerance,
        challenger: ModelVersion | None = None,
    ) -> ScoreFunction:  # fmt: skip
        """Return the function that scores records with a version, and with a challenger beside it.

        Where the version has a baseline, the clicks are counted in its bins.

        Args:
            contract: what a click is.
            features: what is computed from it.
            model: scores every click.
            tolerance: how much it may fail within a task; behind an endpoint, its time limit is left to the client,
                whose deadline no click is to blame for.
            challenger: scores the clicks of some visitors as well.
        """
        outputs = self._config.picks
        if model.is_remote:
            tolerance = replace(tolerance, time_limit_s=inf)
        champion, other = Side(self.serve(model), model.inputs, outputs, tolerance), None
        if challenger:
            limits = Tolerance(
                time_limit_s=self._config.challenger_time_limit_ms / 1000,
                count=tolerance.count,
                share=self._config.failure_limit,
                slack=tolerance.slack,
                hangs=0,
            )
            only = {name: outputs[name] for name in list(outputs)[:1]}
            other = Side(self.serve(challenger), challenger.inputs, only, limits)
        share = self._config.challenger_share
        bins = model.baseline.bins if model.baseline else None
        return score_function(contract, features, champion, other, share, tuple(self._retired), bins)

    def retire_all_but(self, models: Iterable[ModelVersion]) -> None:
        """Take the files of all other versions away, if no other is being prepared right now."""
        if not self.changing.acquire(blocking=False):
            return
        try:
            with self._lock:
                gone = [self._served.pop(old) for old in self._served.keys() - {model.digest for model in models}]
            for served, folder in gone:
                served.files.destroy()
                shutil.rmtree(folder, ignore_errors=True)
                self._retired[served.key] = None
            for oldest in list(self._retired)[:-MOST_RETIRED]:
                del self._retired[oldest]
        finally:
            self.changing.release()


def _zipped(folder: Path) -> bytes:
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for name, file in model_files(folder):
            archive.write(file, name)
    return content.getvalue()


def _try(trial: _Trial) -> None:
    """Load a version and let it score its example, in a worker.

    Raises:
        ModelError: if that goes wrong.
    """
    predict = load_in_time(lambda: loaded(trial.served))
    if trial.example is not None:
        check_answers(predict, trial.example, trial.picks, trial.answers, trial.time_limit_s)
