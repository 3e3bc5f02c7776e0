"""The scorer as Spark calls it, in the Python workers: as a UDF over raw records, or over records that are packed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf

from clickscore.scoring.contract import Contract
from clickscore.scoring.features import Features
from clickscore.scoring.histograms import ClickBins
from clickscore.scoring.isolation import Tolerance, describe
from clickscore.scoring.models import LoadedModel, Predict
from clickscore.scoring.outputs import Outputs, Pick
from clickscore.scoring.scorer import ClickScorer, outcome_type
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.schemas import DUPLICATE, VALUE, Layout
from clickscore.stream.packed_records import chunks, is_packed, parsed_of, raw_of
from clickscore.stream.pipeline import OUTCOME, with_outcomes, without_erased
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
) -> "ScoreFunction":  # fmt: skip
    """Return the function that scores the records of a micro-batch.

    Args:
        contract: what a click is.
        features: what is computed from it.
        champion: scores every click.
        challenger: scores the clicks of some visitors as well.
        challenger_share: part of the visitors that it scores.
        retired: versions that the workers may forget, by their key.
        bins: in which the clicks that the champion scores are counted; None where they are not.
    """

    def scorer() -> ClickScorer:
        forget(retired)
        rival = _load_safely(challenger) if challenger else None
        return ClickScorer(contract, features, champion.load(), rival, challenger_share, bins)

    outcome = outcome_type(contract, champion.outputs, challenger is not None, bins is not None)
    return ScoreFunction(scorer, outcome)


@dataclass(frozen=True)
class ScoreFunction:
    """The scorer as Spark calls it: a function of a column ``BINARY`` of raw records to ``STRUCT``, their outcomes.

    Attributes:
        scorer: builds it in a Python worker, at the begin of a task.
        outcome_type: what an outcome is, ``scoring.scorer.outcome_type``.
    """

    scorer: Callable[[], ClickScorer]
    outcome_type: pa.StructType

    def __call__(self, records: Column | str) -> Column:
        """Score a column of raw records."""
        return self.udf(records)

    @property
    def udf(self) -> Callable[[Column | str], Column]:
        """The same as a UDF, for a session to register."""

        def score(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
            scorer = self.scorer()
            for records in batches:
                yield scorer.score(records)
            scorer.finish()

        # Otherwise Spark would score once more to find out which records have a score.
        udf = arrow_udf(score, _as_spark(self.outcome_type)).asNondeterministic()
        return cast(Callable[[Column | str], Column], udf)

    def outcomes(self, raw: DataFrame, layout: Layout) -> DataFrame:
        """Return the records of a micro-batch with ``_outcome STRUCT`` and ``_duplicate BOOLEAN``.

        Args:
            raw: the records, as in ``schemas.raw``, or as in ``packed_records.PACKED``. Of those that are packed, a
                duplicate is scored by no model.
            layout: the columns of the tables.
        """
        if not is_packed(raw):
            return with_outcomes(raw, self)

        def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            scorer = self.scorer()
            for records in chunks(batches):
                duplicates = np.flatnonzero(records.column(DUPLICATE))
                found = scorer.score(records.column(VALUE), parsed_of(records), duplicates)
                yield raw_of(records).append_column(OUTCOME, found)
            scorer.finish()

        outcome = T.StructField(OUTCOME, _as_spark(self.outcome_type))
        columns = [*layout.raw, T.StructField(DUPLICATE, T.BooleanType()), outcome]
        return without_erased(raw.mapInArrow(score, T.StructType(columns)))


def _as_spark(outcome: pa.StructType) -> T.StructType:
    return as_spark(pa.schema(list(outcome)), has_comments=False)


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
