"""The scorer without its model, as a function of Spark: what the first steps of the way cost."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import pyarrow as pa
from pyspark.sql.pandas.functions import arrow_udf

from clickscore.scoring.contract import Contract
from clickscore.scoring.features import Features
from clickscore.scoring.parsing import parser
from clickscore.scoring.scorer import outcome_type
from clickscore.storage.arrow_types import as_spark
from clickscore.stream.pipeline import Score

CONSTANT = 0.5
"""Stands in the place of a score."""


def without_model(contract: Contract, features: Features | None = None, inputs: pa.Schema | None = None) -> Score:
    """Return the function that decodes the records of a micro-batch; a constant is the score of each click.

    Args:
        contract: what a click is.
        features: computed as well, and dropped.
        inputs: what the model that is left out would ask for.

    Returns:
        A function of a column ``BINARY`` to ``STRUCT``, the outcome of the scorer.
    """
    outcome = outcome_type(contract, ["score"], is_challenged=False)

    def decode(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        parse = parser(contract.click).parse
        for records in batches:
            clicks, rejections = parse(records)
            if features:
                is_click = np.ones(len(records), bool)
                is_click[list(rejections)] = False
                asked = clicks.filter(pa.array(is_click)) if rejections else clicks
                features.compute(asked, *([] if inputs is None else [inputs]))
            texts: list[list[str | None]] = [[None] * len(records) for _ in range(2)]
            for row, rejection in rejections.items():
                texts[0][row], texts[1][row] = rejection
            scores = pa.array(np.full(len(records), CONSTANT))
            columns = [*clicks.flatten(), scores, *(pa.array(column, pa.string()) for column in texts)]
            yield pa.StructArray.from_arrays(columns, fields=list(outcome))

    return cast(Score, arrow_udf(decode, as_spark(pa.schema(list(outcome)), has_comments=False)).asNondeterministic())
