"""The scorer as a Spark UDF: a column of raw records to a column of outcomes, in the Python workers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
from pyspark.sql.pandas.functions import arrow_udf

from clickscore.scoring.contract import Contract
from clickscore.scoring.features import Features
from clickscore.scoring.histograms import ClickBins
from clickscore.scoring.isolation import Tolerance, describe
from clickscore.scoring.models import LoadedModel, Predict
from clickscore.scoring.outputs import Outputs, Pick
from clickscore.scoring.scorer import ClickScorer, outcome_type
from clickscore.storage.arrow_types import as_spark
from clickscore.stream.pipeline import Score
from clickscore.stream.worker_models import Served, forget, loaded


@dataclass(frozen=True)
class Side:
    """A model version in service, as the workers need it.

    Attributes:
        served: the version.
        inputs: what its signature asks for.
        outputs: score column to the output of the model that goes into it.
        tolerance: how much it may fail within a task.
    """

    served: Served
    inputs: pa.Schema
    outputs: Mapping[str, Pick]
    tolerance: Tolerance

    def load(self) -> LoadedModel:
        """Return the version in the memory of this worker."""
        return LoadedModel(self.inputs, loaded(self.served), self.outputs, self.tolerance)


def score_function(
    contract: Contract, features: Features, champion: Side, challenger: Side | None = None,
    challenger_share: float = 1.0, retired: tuple[str, ...] = (), bins: ClickBins | None = None,
) -> Score:  # fmt: skip
    """Return the function that scores the records of a micro-batch.

    Args:
        contract: what a click is.
        features: what is computed from it.
        champion: scores every click.
        challenger: scores the clicks of some visitors as well.
        challenger_share: part of the visitors that it scores.
        retired: versions that the workers may forget, by their key.
        bins: in which the clicks that the champion scores are counted; None where they are not.

    Returns:
        A function of a column ``BINARY`` of raw records to ``STRUCT``, ``scoring.scorer.outcome_type``.
    """

    def score(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        forget(retired)
        scorer = ClickScorer(
            contract,
            features,
            champion.load(),
            _load_safely(challenger) if challenger else None,
            challenger_share,
            bins,
        )
        for records in batches:
            yield scorer.score(records)
        scorer.finish()

    outcome = pa.schema(list(outcome_type(contract, champion.outputs, challenger is not None, bins is not None)))
    # Otherwise Spark would score once more to find out which records have a score.
    return cast(Score, arrow_udf(score, as_spark(outcome, has_comments=False)).asNondeterministic())


def _load_safely(challenger: Side) -> LoadedModel:
    """Return a challenger that fails on every click where it cannot even be loaded: it harms nobody else."""
    try:
        return challenger.load()
    except Exception as error:  # whatever a challenger raises must not end the champion's task
        cause = describe(error)

        def fail(_: pa.StructArray) -> Outputs:
            raise RuntimeError(cause)

        predict: Predict = fail
        return LoadedModel(challenger.inputs, predict, challenger.outputs, challenger.tolerance)
