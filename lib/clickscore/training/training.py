"""Past clicks become a registered model: same contract and features as the stream, and the outcome as the label."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.model import split_uri
from clickscore.config.outcome import Outcome
from clickscore.config.run import Config
from clickscore.console import warn
from clickscore.errors import ConfigError, SourceError
from clickscore.outcomes.joined import definition
from clickscore.outcomes.label_table import follow_all, read_labels
from clickscore.outcomes.units import FIRST, label, newest, with_unit
from clickscore.registry.registry import Registry
from clickscore.scoring.contract import Contract, contract_of
from clickscore.scoring.features import Features, read_features
from clickscore.scoring.parsing import parser
from clickscore.sources.folder import read_batch
from clickscore.spark_errors import is_missing_path
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.schemas import VALUE
from clickscore.training.fitting import fit
from clickscore.training.trainable import LABEL, VISIT_START, check_trainable, doubts

FEATURES = "_features"


def labelled(raw: DataFrame, contract: Contract, features: Features, outcome: Outcome) -> DataFrame:
    """Turn past records into examples; rejected records, and those whose features fail, are left out.

    Args:
        raw: as in ``schemas.raw``.
        contract: what a click is.
        features: what is computed from it.
        outcome: what a success is.

    Returns:
        One column per feature, ``_label DOUBLE``, 1 for every click of a unit that succeeds, 0 for those of others,
        null where it is unknown, and ``_visit_start TIMESTAMP``, the time of the first click of the unit. Unknown is it
        of units that are still open when the history ends, and of clicks after the time of their unit.

    Raises:
        ConfigError: if the unit is no field of a click, or ``outcome.success`` no condition on one.
    """
    columns = pa.schema([*contract.click, pa.field(FEATURES, pa.struct(list(features.schema)))])

    def featured(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            clicks, rejections = parser(contract.click).parse(batch.column(VALUE))
            computed = features.compute(clicks)
            is_good = np.ones(len(clicks), bool)
            is_good[[*rejections, *computed.failures]] = False
            rows = pa.RecordBatch.from_arrays([*clicks.flatten(), *computed.values], names=columns.names)
            yield rows.filter(pa.array(is_good))

    # Kept, as the clock has to be known before the first label.
    rows = raw.mapInArrow(featured, as_spark(columns, has_comments=False)).persist()
    clicks = with_unit(rows, outcome.field(contract.id, contract.visitor))
    labels = read_labels(raw.sparkSession, outcome, contract.id, contract.visitor, contract.time)
    followed = follow_all(clicks, outcome, contract.time, labels)
    [[clock_us]] = rows.agg(newest(contract.time)).collect()
    clock_us = labels.clock_us(clock_us) if labels else clock_us
    found = label(contract.time, clock_us or 0).alias(LABEL)
    return followed.select(f"{FEATURES}.*", found, F.col(FIRST).alias(VISIT_START))


def run(
    config: Config, make_session: Callable[[], SparkSession], console: Console, once: bool, alias: str | None = None
) -> None:
    """Train a model on the configured history and register it; the first version of a model gets the alias.

    Args:
        config: the run; needs ``training`` and ``outcome``.
        make_session: builds the session.
        console: where the outcome goes.
        once: do nothing if the alias points to a version already.
        alias: points to the new version afterwards, whatever it pointed to before.

    Raises:
        WiringError: if the history, the contract or the label is wrong.
    """
    config.model.require_registered("jobs/train_model.py")
    training = config.training
    if training is None:
        raise ConfigError("the configuration", ["training: missing; it names the past clicks"])
    outcome = definition(config)
    name, first_alias, _ = split_uri(config.model.uri)
    if not first_alias:
        raise ConfigError(
            "the configuration", [f"model.uri: training needs an alias to give, found {config.model.uri}"]
        )
    with ThreadPoolExecutor(1) as aside:
        # MLflow takes seconds to import and to set up a new database, and so does the session to start.
        opening = aside.submit(Registry, config.model.registry, create=True)
        if once and opening.result().has_alias(name, alias or first_alias):
            console.print(
                f"models:/{name}@{alias or first_alias} is there already; nothing trained",
                highlight=False,
                markup=False,
            )
            return
        contract = contract_of(config.click)
        features = read_features(config.features, contract.click)
        check_trainable(features.schema, str(config.features), training.algorithm)
        spark = make_session()
        registry = opening.result()
    try:
        clicks = labelled(read_batch(spark, training.clicks), contract, features, outcome)
        examples = clicks.dropna(subset=[LABEL]).toPandas()
    except AnalysisException as error:
        if not is_missing_path(error):
            raise
        found = f"training.clicks: no such folder: {training.clicks}. Create it, or correct the path."
        raise SourceError(found) from None
    fitted = fit(examples, features.schema.names, training)
    for doubt in doubts(fitted.split.features):
        warn(console, doubt)
    version, got = fitted.register(registry, name, first_alias)
    aliases = [first_alias] if got else []
    if alias:
        registry.set_alias(name, alias, version)
        aliases.append(alias)
    now = f", now {' and '.join(f'@{each}' for each in aliases)}" if aliases else ""
    console.print(f"{name} version {version}{now}: {fitted}", highlight=False, markup=False, soft_wrap=True)
