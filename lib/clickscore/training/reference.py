"""The baseline of a version that somebody else has registered: made of the past clicks in the configuration."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.run import Config
from clickscore.console import counted
from clickscore.drift.baseline import Baseline, baseline_of
from clickscore.errors import ModelError, SourceError
from clickscore.registry.baselines import keep_baseline
from clickscore.registry.promotion import open_registry
from clickscore.registry.registry import fetch_version
from clickscore.scoring.contract import Contract, contract_of
from clickscore.scoring.features import Features, check_features, read_features
from clickscore.scoring.isolation import describe
from clickscore.scoring.models import LoadedModel, load
from clickscore.scoring.outputs import pick
from clickscore.scoring.parsing import parser
from clickscore.scoring.scorer import missing_features
from clickscore.sources.folder import read_batch
from clickscore.spark_errors import is_missing_path
from clickscore.storage.schemas import VALUE

MOST_CLICKS = 100_000
"""Past clicks that make a baseline: they leave each share uncertain by less than 0.2%, and fit on the driver."""


def keep_reference(config: Config, uri: str, make_session: Callable[[], SparkSession], console: Console) -> None:
    """Let a version score the past clicks of the configuration, and keep its baseline with it.

    Args:
        config: the run; without ``training``, or a run of the version, nothing is kept, and the console says why. A
            version that has a baseline keeps it.
        uri: of the version, ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.
        make_session: builds the session.
        console: where the outcome goes.

    Raises:
        WiringError: if the version, the features file or the past clicks cannot be used.
    """
    with open_registry(config.model) as (registry, client), tempfile.TemporaryDirectory(prefix="clickscore-") as folder:
        model = fetch_version(config.model, *registry.resolve(uri), Path(folder), registry)
        if model.baseline:
            _say(console, f"{model.label} keeps the baseline that it has.")
            return
        if config.training is None or not model.run_id:
            why = "it has no run in the registry" if config.training else "training.clicks names no past clicks"
            _say(console, f"{model.label} gets no baseline, so its drift cannot be measured: {why}.")
            return
        contract = contract_of(config.click)
        features = read_features(config.features, contract.click)
        check_features(features.schema, model.inputs, str(config.features))
        records = _past(make_session(), config.training.clicks)
        loaded = LoadedModel(model.inputs, load(model.kind, model.folder), config.model.picks)
        try:
            baseline = reference(records, contract, features, loaded)
        except ModelError as error:
            where = f"training.clicks, {config.training.clicks}"
            raise ModelError(f"{model.label} gets no baseline from {where}: {error}") from None
        keep_baseline(client, *model.key, model.run_id, baseline)
        scored = int(baseline.bins.split(np.array(baseline.counts))[0].sum())
        _say(console, f"{model.label} has the baseline of {scored:,} past clicks.")


def reference(records: pa.BinaryArray, contract: Contract, features: Features, model: LoadedModel) -> Baseline:
    """Return the baseline of the records that a model scores; the others are left out, as in training.

    Raises:
        ModelError: if it scores none, or fails.
    """
    clicks, rejections = parser(contract.click).parse(records)
    [inputs], failures = features.compute(clicks, model.inputs)
    is_fit = np.ones(len(records), bool)
    is_fit[[*rejections, *failures, *missing_features(inputs, model.inputs)]] = False
    inputs = inputs.filter(pa.array(is_fit))
    if not len(inputs):
        raise ModelError(f"none of {counted(len(records), 'record')} is a click that the model can score")
    try:
        scores = pick(model.predict(inputs), tuple(model.outputs.values()))[:, 0]
    except Exception as error:  # errors of models have no common class; each refuses the version
        raise ModelError(f"the model fails on {counted(len(inputs), 'click')}: {describe(error)}") from None
    return baseline_of(inputs, scores)


def _past(spark: SparkSession, folder: str) -> pa.BinaryArray:
    """Return past records; of many, some that a hash of them chooses, the same ones each time."""
    try:
        chosen = read_batch(spark, folder).orderBy(F.xxhash64(VALUE)).limit(MOST_CLICKS)
        records: pa.BinaryArray = chosen.select(VALUE).toArrow().column(VALUE).cast(pa.binary()).combine_chunks()
    except AnalysisException as error:
        if not is_missing_path(error):
            raise
        raise SourceError(f"training.clicks: no such folder: {folder}. Create it, or correct the path.") from None
    return records


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
