"""The scorer: raw records become clicks, clicks get features, features get a score; one outcome for each record.

The same function serves a stream, a batch, a service and a program that embeds it. It knows no Spark and no registry.
Whatever is wrong with a record, a feature or a model's answer ends up in the record's own outcome.
"""

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clickscore.reasons import ERASED_VISITOR, FEATURE_FAILED, MISSING_FEATURE, SCORING_FAILED
from clickscore.scoring.contract import Contract
from clickscore.scoring.decoding import Rejection
from clickscore.scoring.features import Features
from clickscore.scoring.histograms import ClickBins, packed
from clickscore.scoring.isolation import Isolation, PredictRows, TooManyFailuresError, describe
from clickscore.scoring.models import LoadedModel
from clickscore.scoring.outputs import Floats, Pick, pick
from clickscore.scoring.parsing import Parsed, parser
from clickscore.scoring.privacy import MASKED, Protection, quiet, withheld, without_values
from clickscore.scoring.sampling import is_sampled

REASON, DETAIL = "reason", "detail"
CHALLENGER_SCORE, CHALLENGER_DETAIL = "challenger_score", "challenger_detail"
MASKED_RAW, COUNTS = "_raw", "_counts"

Rows = npt.NDArray[np.int64]
"""Numbers of records within the chunk that is scored."""
_NONE = np.empty(0, np.int64)


def outcome_type(
    contract: Contract, scores: Iterable[str], is_challenged: bool, is_counted: bool = False
) -> pa.StructType:  # fmt: skip
    """Return what the outcome of a record is; all of it may be null.

    Args:
        contract: what a click is, and what may be kept of it.
        scores: the score columns.
        is_challenged: whether a challenger scores some clicks as well.
        is_counted: whether the clicks are counted in bins.

    Returns:
        The click's own fields as they may be kept, null for a record that could not be decoded; the scores ``DOUBLE``,
        null for a record that has none; with a challenger ``challenger_score DOUBLE`` and ``challenger_detail STRING``,
        why it has given none to a click that it was asked about; where ``raw`` is masked, ``_raw STRING``, what may be
        kept of a record that could not be decoded; where clicks are counted, ``_counts BINARY``, in one record of a
        chunk the packed counts of its scored clicks; ``reason STRING`` and ``detail STRING``, null for a scored click.
    """
    fields = [field.with_nullable(True) for field in contract.kept]
    fields += [pa.field(name, pa.float64()) for name in scores]
    if is_challenged:
        fields += [pa.field(CHALLENGER_SCORE, pa.float64()), pa.field(CHALLENGER_DETAIL, pa.string())]
    fields += [pa.field(MASKED_RAW, pa.string())] if _masks(contract.protection) else []
    fields += [pa.field(COUNTS, pa.binary())] if is_counted else []
    return pa.struct([*fields, pa.field(REASON, pa.string()), pa.field(DETAIL, pa.string())])


def _masks(protection: Protection | None) -> bool:
    return protection is not None and protection.raw == MASKED


class ClickScorer:
    """Scores raw records with a contract, a features file and one or two models.

    It may be built anew for every task: what is expensive about it is kept for the life of the process.
    """

    def __init__(
        self, contract: Contract, features: Features, champion: LoadedModel, challenger: LoadedModel | None = None,
        challenger_share: float = 1.0, bins: ClickBins | None = None,
    ) -> None:  # fmt: skip
        """Put the parts together.

        Args:
            contract: what a click is.
            features: what is computed from it.
            champion: scores every click.
            challenger: scores the clicks of some visitors as well; only its first output counts.
            challenger_share: part of the visitors that it scores, 0 to 1.
            bins: of the champion's score and its features; None where clicks are not counted.
        """
        self._bins = bins
        self._contract, self._features, self._champion = contract, features, champion
        self._parser = parser(contract.click)
        self._isolation = Isolation(champion.tolerance)
        self._records = self._rejected = 0
        self._protection = contract.protection
        self._hides = self._protection is not None and self._protection.hides(features.reads)
        self._challenger = _Challenger(challenger, challenger_share, self._hides) if challenger else None
        self.outcome_type = outcome_type(contract, champion.outputs, challenger is not None, bins is not None)

    def score(self, records: pa.BinaryArray, parsed: Parsed | None = None, duplicates: Rows = _NONE) -> pa.StructArray:
        """Score raw records.

        Args:
            records: one JSON object each; null is a record without a value. Or clicks of a table, a structure each.
            parsed: what has become of them, where they were decoded before; with the same contract.
            duplicates: the numbers of those that no model is asked about: no score, no reason but an erased visitor.

        Returns:
            The outcomes, ``outcome_type``, of the same length and in the same order.

        Raises:
            TooManyFailuresError: if the champion fails on more clicks than its tolerance allows.
        """
        clicks, rejections = parsed or self._parser.parse(records)
        if self._contract.erased:
            visitors = clicks.field(self._contract.visitor)
            rejections = rejections | self._contract.erased.refused(records, visitors, rejections)
        rows = _others(len(records), [*rejections, *duplicates])
        schemas = [self._champion.inputs, *([self._challenger.model.inputs] if self._challenger else ())]
        asked = clicks
        if len(rows) < len(records):  # copy no more of the others than the features read
            asked = pa.StructArray.from_arrays([*map(clicks.field, self._features.reads)], self._features.reads)
            asked = asked.take(pa.array(rows))
        values, failures = self._features.compute(asked, *schemas)
        unfit = missing_features(values[0], self._champion.inputs)
        unfit |= {
            row: Rejection(FEATURE_FAILED, withheld("DuckDB") if self._hides else cause)
            for row, cause in failures.items()
        }
        fit = _others(len(asked), unfit)
        scores = np.full((len(records), len(self._champion.outputs)), np.nan)
        inputs = _taken(values[0], fit)
        scores[rows[fit]], causes = self._predict(inputs)
        unfit |= {int(fit[row]): Rejection(SCORING_FAILED, cause) for row, cause in causes.items()}
        kept = self._protection.columns(clicks) if self._protection else clicks.flatten()
        arrays = [*kept, *as_columns(scores)]
        if self._challenger:
            visitors = clicks.field(self._contract.visitor)
            arrays += self._challenger.score(_taken(values[1], fit), visitors, rows[fit])
        if self._protection:
            if _masks(self._protection):
                arrays.append(self._masked(records, rejections))
            rejections = {row: without_values(why, self._contract.click) for row, why in rejections.items()}
        if self._bins:
            arrays.append(_counted(self._bins, inputs, scores[rows[fit], 0], len(records)))
        rejections |= {int(rows[row]): why for row, why in unfit.items()}
        self._records += len(records) - len(duplicates)
        self._rejected += len(rejections.keys() - set(duplicates.tolist()))
        arrays += reason_columns(rejections, len(records))
        return pa.StructArray.from_arrays(arrays, fields=list(self.outcome_type))

    def finish(self) -> None:
        """Judge all that was scored so far as a whole, at the end of a task.

        Raises:
            TooManyFailuresError: if the champion has failed on more clicks, or more records were rejected, than its
                tolerance allows.
        """
        self._isolation.finish()
        if self._rejected > self._champion.tolerance.rejected_share * self._records:
            raise TooManyFailuresError(f"{self._rejected} of {self._records} records of a task were rejected")

    def _predict(self, inputs: pa.StructArray) -> tuple[Floats, dict[int, str]]:
        picks = tuple(self._champion.outputs.values())
        predict = partial(_predict, self._champion, picks, inputs)
        return self._isolation.score(quiet(predict) if self._hides else predict, len(inputs), len(picks))

    def _masked(self, records: pa.BinaryArray, rejections: Mapping[int, Rejection]) -> pa.Array:
        """Return what may be kept of the records that could not be decoded."""
        rows = [row for row, why in rejections.items() if why.reason != ERASED_VISITOR]
        if not rows or not self._protection:
            return pa.nulls(len(records), pa.string())
        kept = self._protection.records(records.take(pa.array(rows)), self._contract.click, self._contract.id)
        return _texts({row: text for row, text in zip(rows, kept, strict=True) if text}, len(records))


class _Challenger:
    """Scores the clicks of its visitors until it fails too often or takes too long; then it is suspended."""

    def __init__(self, model: LoadedModel, share: float, is_quiet: bool) -> None:
        self.model, self._share, self._is_quiet = model, share, is_quiet
        self._picks = (next(iter(model.outputs.values())),)
        self._isolation = Isolation(model.tolerance)
        self._suspended: str | None = None

    def score(self, inputs: pa.StructArray, visitors: pa.Array, rows: Rows) -> list[pa.Array]:
        """Return score and detail for all records; ``inputs`` are those of ``rows``, ``visitors`` those of all."""
        values = np.full((len(visitors), 1), np.nan)
        details: dict[int, str] = {}
        is_asked = is_sampled(visitors.take(pa.array(rows)), self._share)
        is_asked[np.fromiter(missing_features(inputs, self.model.inputs), np.int64)] = False
        asked = np.flatnonzero(is_asked)
        if len(asked) and not self._suspended:
            try:
                predict: PredictRows = partial(_predict, self.model, self._picks, _taken(inputs, asked))
                predict = quiet(predict) if self._is_quiet else predict
                values[rows[asked]], causes = self._isolation.score(predict, len(asked), 1)
                details = {int(rows[asked[row]]): cause for row, cause in causes.items()}
            except TooManyFailuresError as error:
                self._suspended = str(error)
            except Exception as error:  # whatever the challenger does harms nobody else
                self._suspended = describe(error)
        if self._suspended:
            details = dict.fromkeys(rows[asked].tolist(), self._suspended)
            values[rows[asked]] = np.nan
        return [*as_columns(values), _texts(details, len(visitors))]


def missing_features(values: pa.StructArray, inputs: pa.Schema) -> dict[int, Rejection]:
    """Return the clicks that lack a feature which the model requires, by their number.

    Args:
        values: the features, in the order of ``inputs``.
        inputs: what the model's signature asks for; NOT NULL fields are required.
    """
    absent: dict[int, list[str]] = {}
    for field, column in zip(inputs, values.flatten(), strict=True):
        if not field.nullable and column.null_count:
            for row in np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist():
                absent.setdefault(row, []).append(field.name)
    return {row: Rejection(MISSING_FEATURE, f"null, but required: {', '.join(names)}") for row, names in absent.items()}


def _predict(model: LoadedModel, picks: tuple[Pick, ...], inputs: pa.StructArray, low: int, high: int) -> Floats:
    return pick(model.predict(inputs.slice(low, high - low)), picks)


def _counted(bins: ClickBins, inputs: pa.StructArray, scores: Floats, count: int) -> pa.Array:
    """Return the counts of the clicks that have a score, in the first of ``count`` records."""
    scored = np.flatnonzero(~np.isnan(scores))
    if not len(scored):
        return pa.nulls(count, pa.binary())
    counts = packed(bins.count(_taken(inputs, scored), scores[scored]))
    return pa.concat_arrays([pa.array([counts], pa.binary()), pa.nulls(count - 1, pa.binary())])


def _others(count: int, rows: Iterable[int]) -> Rows:
    """Return the numbers below ``count`` without some of them."""
    is_other = np.ones(count, bool)
    is_other[np.fromiter(rows, np.int64)] = False
    return np.flatnonzero(is_other)


def _taken(inputs: pa.StructArray, rows: Rows) -> pa.StructArray:
    return inputs if len(rows) == len(inputs) else inputs.take(pa.array(rows))


def as_columns(values: Floats) -> list[pa.Array]:
    """Return the columns as arrays; NaN, which stands for no score, is null."""
    return [pa.array(np.ascontiguousarray(column), pa.float64(), from_pandas=True) for column in values.T]


def reason_columns(rejections: dict[int, Rejection], count: int) -> list[pa.Array]:
    """Return reason and detail of records, null for those that are not rejected."""
    return [_texts({row: rejection[part] for row, rejection in rejections.items()}, count) for part in (0, 1)]


def _texts(texts: dict[int, str], count: int) -> pa.Array:
    if not texts:
        return pa.nulls(count, pa.string())
    column: list[str | None] = [None] * count
    for row, text in texts.items():
        column[row] = text
    return pa.array(column, pa.string())
